// swavd: the trainer daemon, and what is done with its models.

#include <cstdio>
#include <string>
#include <vector>

#include "ops/base/log.h"
#include "ops/base/memory_limit.h"
#include "ops/bin/cli.h"
#include "ops/bin/headspace_command.h"
#include "ops/bin/swavd_commands.h"
#include "ops/daemon/control.h"
#include "ops/daemon/daemon.h"
#include "ops/daemon/demo.h"
#include "ops/daemon/init_from.h"
#include "ops/daemon/memory_need.h"
#include "ops/daemon/options.h"
#include "ops/daemon/schedule_text.h"
#include "ops/service/log_config.h"
#include "ops/service/validate.h"
#include "trainer/initial_weights.h"
#include "trainer/openmp_policy.h"

namespace swavd::bin {
namespace {

struct RunArguments {
  std::uint64_t stop_after = 0;
  bool take_over = false;
  bool new_run = false;
};

Status run_command(const ConfigArguments& arguments, const RunArguments& run) {
  const auto loaded = arguments.load_with_warnings();
  if (!loaded.ok()) {
    return loaded.error();
  }
  const service::Config& config = loaded.value().config;
  service::apply_log_config(config);
  for (const service::ConfigMistake& warning : loaded.value().warnings) {
    log(LogLevel::kWarning,
        "config_doubtful",
        warning.key + ": " + warning.message);
  }
  daemon::DaemonOptions options;
  options.stop_after_images = run.stop_after;
  options.take_over = run.take_over;
  options.new_run = run.new_run;
  options.reload = [&arguments] {
    return service::load_config(arguments.sources());
  };
  daemon::Control control;
  return daemon::run_daemon(config, options, control);
}

/// What the keys of [schedule] come to, a line each.
std::vector<std::string> schedule_lines(const service::Config& config) {
  const scheduler::ScheduleOptions options = daemon::schedule_options(config);
  const std::int64_t batch = config.loader.batch_images;
  std::vector<std::string> lines = {
      "schedule: " + daemon::schedule_text(options, batch)};
  for (const std::string& warning : daemon::schedule_warnings(options, batch)) {
    lines.push_back("warning: " + warning);
  }
  return lines;
}

/// TOML throughout: what is no key of it is a comment.
Status show_command(const ConfigArguments& arguments) {
  const auto loaded = arguments.load();
  if (!loaded.ok()) {
    return loaded.error();
  }
  print(service::effective_config(arguments.sources()));
  for (const std::string& line : schedule_lines(loaded.value())) {
    print("# " + line);
  }
  return ok_status();
}

/// Prints what of the given weights a run would take.
Status validate_init_from(const service::Config& config) {
  if (config.model.init_from.empty()) {
    return ok_status();
  }
  const auto weights = daemon::plan_initial_weights(config);
  if (!weights.ok()) {
    return weights.error();
  }
  for (const std::string& line :
       trainer::report_lines(weights.value().report())) {
    print(line);
  }
  return ok_status();
}

Status validate_command(const ConfigArguments& arguments, bool no_environment) {
  const auto loaded = arguments.load_with_warnings();
  if (!loaded.ok()) {
    return loaded.error();
  }
  for (const service::ConfigMistake& warning : loaded.value().warnings) {
    std::fprintf(
        stderr, "warning: %s", service::format_mistakes({warning}).c_str());
  }
  trainer::ComputeDevice device;
  if (!no_environment) {
    SWAVD_RETURN_IF_ERROR(service::validate_environment(loaded.value().config));
    auto found = daemon::find_device(loaded.value().config);
    if (!found.ok()) {
      return found.error();
    }
    device = std::move(found).value();
    SWAVD_RETURN_IF_ERROR(
        daemon::check_memory(loaded.value().config, memory_limit(), device));
    SWAVD_RETURN_IF_ERROR(validate_init_from(loaded.value().config));
  }
  auto need = daemon::memory_need(loaded.value().config, device);
  if (!need.ok()) {
    return need.error();
  }
  print("the configuration is valid");
  for (const std::string& line : schedule_lines(loaded.value().config)) {
    print(line);
  }
  if (!no_environment) {
    print("computes on: " + to_string(device));
  }
  print("memory it needs: " + daemon::to_string(need.value()));
  return ok_status();
}

void add_daemon(CLI::App& app, ConfigArguments& config, Body& body) {
  static RunArguments chosen;
  auto* run = app.add_subcommand("run", "The daemon");
  config.add_to(*run, /*required=*/true);
  run->add_option(
      "--stop-after-images",
      chosen.stop_after,
      "Drain after so many images trained by this process");
  run->add_flag(
      "--take-over",
      chosen.take_over,
      "Take the run from an owner that may be alive; it exits 76 then");
  run->add_flag(
      "--new-run",
      chosen.new_run,
      "Start over at step 0, beside the snapshots there are: once, by hand, "
      "as every start with this flag begins anew");
  run->callback(
      [&] { body = [&config] { return run_command(config, chosen); }; });

  static bool no_environment = false;
  auto* validate = app.add_subcommand(
      "validate", "Name every mistake of a configuration at once");
  config.add_to(*validate, /*required=*/true);
  validate->add_flag(
      "--no-environment",
      no_environment,
      "Look at the file only, not at folders and services");
  validate->callback([&] {
    body = [&config] { return validate_command(config, no_environment); };
  });

  auto* show = app.add_subcommand(
      "config",
      "The effective configuration, each value with its origin, and what the "
      "schedule comes to");
  config.add_to(*show, /*required=*/false);
  show->callback([&] { body = [&config] { return show_command(config); }; });
}

void add_demo(CLI::App& app, daemon::DemoOptions& options, Body& body) {
  auto* demo = app.add_subcommand(
      "demo", "The whole main job on this machine, with your pictures");
  demo->add_option("--images", options.images, "A folder or a tar file");
  demo->add_option("--test", options.test, "Labelled images for kNN");
  demo->add_option("--preset", options.preset, "model.preset");
  demo->add_option(
      "--stop-after-images", options.stop_after_images, "Images to train on");
  demo->add_option("--data-dir", options.data_dir, "Where everything is kept");
  demo->add_flag("--fresh", options.fresh, "Forget earlier demos");
  demo->add_option("--listen", options.listen, "HOST:PORT of the page");
  demo->callback([&] { body = [&] { return daemon::run_demo(options); }; });
}

int run(int argc, char** argv) {
  CLI::App app(
      "Learns visual features from an endless stream of images.", "swavd");
  app.set_version_flag("--version", std::string(daemon::version()));
  app.require_subcommand(1);
  Body body;
  ConfigArguments config;
  daemon::DemoOptions demo;
  add_daemon(app, config, body);
  add_headspace_command(app, config, body);
  add_demo(app, demo, body);
  ModelArguments model;
  add_model_commands(app, model, body);
  return run_app(app, argc, argv, [&] { return body(); });
}

}  // namespace
}  // namespace swavd::bin

int main(int argc, char** argv) {
  swavd::trainer::prefer_sleeping_threads(argv);
  return swavd::bin::run(argc, argv);
}
