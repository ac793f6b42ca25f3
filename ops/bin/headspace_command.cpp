#include "ops/bin/headspace_command.h"

#include <chrono>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ops/daemon/headspace.h"
#include "ops/service/log_config.h"

namespace swavd::bin {

namespace {

struct HeadspaceArguments {
  double seconds = 10;
  bool json = false;
};

std::string to_json(const daemon::HeadspaceReport& report) {
  return nlohmann::ordered_json{
      {"device", report.device},
      {"loader_images_per_s", report.loader_rate},
      {"loader_workers", report.workers},
      {"loader_cpu_s_per_image", report.loader_seconds},
      {"step_images_per_s", report.step_rate},
      {"together_images_per_s", report.together_rate},
      {"limited_by", daemon::limit_of(report)}}
      .dump();
}

/// What would help.
std::string advice(const daemon::HeadspaceReport& report) {
  const std::string_view limit = daemon::limit_of(report);
  if (limit == "loader") {
    return "the loader: more loader.workers, more cores, or smaller images";
  }
  if (limit == "step") {
    return "the step: a faster loader would bring nothing";
  }
  return "the cores: loader and steps take them from each other; fewer "
         "loader.workers or precision.threads, or more cores";
}

std::string to_text(const daemon::HeadspaceReport& report) {
  return fmt::format(
      "loader alone      {:9.1f} images/s   {} workers, {:.2f} ms of CPU an "
      "image\n"
      "steps alone       {:9.1f} images/s   one batch over and over, on {}\n"
      "together          {:9.1f} images/s   {:.0f} % of the steps alone\n"
      "limited by {}",
      report.loader_rate,
      report.workers,
      report.loader_seconds * 1e3,
      report.step_rate,
      report.device,
      report.together_rate,
      100 * report.together_rate / report.step_rate,
      advice(report));
}

Status headspace(
    const ConfigArguments& config,
    const HeadspaceArguments& arguments) {
  auto loaded = config.load();
  if (!loaded.ok()) {
    return loaded.error();
  }
  service::apply_log_config(loaded.value());
  const auto report = daemon::measure_headspace(
      loaded.value(),
      std::chrono::milliseconds(
          static_cast<std::int64_t>(arguments.seconds * 1e3)));
  if (!report.ok()) {
    return report.error();
  }
  print(arguments.json ? to_json(report.value()) : to_text(report.value()));
  return ok_status();
}

}  // namespace

void add_headspace_command(CLI::App& app, ConfigArguments& config, Body& body) {
  static HeadspaceArguments arguments;
  auto* command = app.add_subcommand(
      "headspace",
      "What limits training: images/s of the loader alone, of steps on one "
      "batch alone, and of both, without touching the run");
  config.add_to(*command, /*required=*/true);
  command
      ->add_option(
          "--seconds", arguments.seconds, "How long each of the three takes")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  command->add_flag("--json", arguments.json, "As JSON");
  command->callback(
      [&] { body = [&config] { return headspace(config, arguments); }; });
}

}  // namespace swavd::bin
