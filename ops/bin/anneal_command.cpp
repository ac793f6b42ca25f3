#include "ops/bin/anneal_command.h"

#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "ops/base/log.h"
#include "ops/daemon/anneal.h"
#include "ops/service/log_config.h"

namespace swavd::bin {

namespace {

/// A line that is rewritten on a terminal, else one of the log now and then.
void show(const daemon::AnnealProgress& progress) {
  const std::string text = fmt::format(
      "{} of {} images, {:.0f} images/s, loss {:.3f}, rate {:.3g}",
      progress.images,
      progress.of,
      progress.images_per_second,
      progress.loss,
      progress.learning_rate);
  if (::isatty(STDERR_FILENO) == 1) {
    std::fprintf(stderr, "\r\033[K%s", text.c_str());
    return;
  }
  constexpr int kSeconds = 30;
  static int calls = 0;  // one thread calls
  if (calls++ % kSeconds == kSeconds - 1) {
    log(LogLevel::kInfo, "annealing", text);
  }
}

std::string to_json(
    const daemon::AnnealReport& report,
    const std::string& folder) {
  return nlohmann::ordered_json{
      {"snapshot", report.snapshot_id},
      {"folder", folder},
      {"parent", report.parent},
      {"steps", report.steps},
      {"images", report.images},
      {"learning_rate",
       {{"first", report.first_rate}, {"last", report.last_rate}}},
      {"loss", report.loss},
      {"seconds", report.seconds}}
      .dump();
}

Status anneal(
    const ConfigArguments& arguments,
    const daemon::AnnealOptions& options) {
  auto config = arguments.load();
  if (!config.ok()) {
    return config.error();
  }
  service::apply_log_config(config.value());
  const auto report = daemon::run_anneal(config.value(), options);
  if (::isatty(STDERR_FILENO) == 1) {
    std::fputs("\r\033[K", stderr);
  }
  if (!report.ok()) {
    return report.error();
  }
  print(to_json(report.value(), options.out));
  return ok_status();
}

}  // namespace

void add_anneal_command(CLI::App& app, ConfigArguments& config, Body& body) {
  static daemon::AnnealOptions options;
  options.on_progress = show;
  auto* command = app.add_subcommand(
      "anneal",
      "A model of a run at its best: trains a snapshot on the next images of "
      "the stream with a falling rate, into a folder, without touching the "
      "run");
  config.add_to(*command, /*required=*/true);
  command
      ->add_option(
          "--snapshot",
          options.snapshot,
          "A path or URL, with @ID for one of several")
      ->required();
  command
      ->add_option(
          "--images",
          options.images,
          "How many to train on, rounded up to whole batches")
      ->required();
  command->add_option(
      "--end-rate", options.end_rate, "The learning rate to fall to");
  command->add_option("--out", options.out, "A folder, made when absent")
      ->required();
  command->callback(
      [&] { body = [&config] { return anneal(config, options); }; });
}

}  // namespace swavd::bin
