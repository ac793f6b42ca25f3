// swavd-crawl: fills a stream, from the web or from files.

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "ingest/push.h"
#include "ingest/streams.h"
#include "ops/base/log.h"
#include "ops/bin/cli.h"
#include "ops/service/crawl_service.h"
#include "ops/service/lifecycle.h"
#include "ops/service/log_config.h"

namespace swavd::bin {
namespace {

struct PushArguments {
  std::string to;
  double rate = 0;
  std::uint64_t hold_out = 0;
  std::int32_t partitions = 8;
  std::vector<std::string> paths;
};

Status push(const PushArguments& arguments) {
  auto url = ingest::parse_stream_url(arguments.to);
  if (!url.ok()) {
    return url.error();
  }
  std::stop_source stop;
  const service::Signals signals(
      [&stop](service::Request) { stop.request_stop(); });
  ingest::SinkOptions sink_options;
  sink_options.partitions = arguments.partitions;
  sink_options.events.on_error = [](std::string_view reason,
                                    std::string_view text) {
    log(LogLevel::kWarning, reason, text);
  };
  auto sink = ingest::open_sink(url.value(), sink_options);
  if (!sink.ok()) {
    return sink.error();
  }
  ingest::PushOptions options;
  options.records_per_second = arguments.rate;
  options.hold_out = arguments.hold_out;
  auto summary = ingest::push_paths(
      *sink.value(), arguments.paths, options, stop.get_token());
  if (!summary.ok()) {
    return summary.error();
  }
  print(ingest::to_json(summary.value()));
  return ok_status();
}

int run(int argc, char** argv) {
  CLI::App app(
      "Fills a swavd stream, from the web or from files.", "swavd-crawl");
  app.require_subcommand(1);
  std::function<Status()> body;

  ConfigArguments config;
  auto* crawl = app.add_subcommand(
      "run", "Fetch the URLs of [crawl] lists into the stream");
  config.add_to(*crawl, /*required=*/true);
  crawl->callback([&] {
    body = [&config]() -> Status {
      auto loaded = config.load();
      if (!loaded.ok()) {
        return loaded.error();
      }
      service::apply_log_config(loaded.value());
      return service::run_crawl_service(loaded.value());
    };
  });

  PushArguments arguments;
  auto* push_command = app.add_subcommand(
      "push",
      "Publish the files of folders, tar files or lists; prints a JSON "
      "summary");
  push_command
      ->add_option(
          "--to",
          arguments.to,
          "kafka://HOST:PORT[,HOST:PORT...]/TOPIC or log:///FOLDER/TOPIC")
      ->required();
  push_command
      ->add_option(
          "--rate", arguments.rate, "Records a second at most; 0: no limit")
      ->check(CLI::NonNegativeNumber);
  push_command
      ->add_option(
          "--partitions",
          arguments.partitions,
          "Of an embedded stream that is made by this command")
      ->check(CLI::Range(1, 1024));
  push_command->add_option(
      "--hold-out",
      arguments.hold_out,
      "Leave out the last N images of every folder and tar");
  push_command->add_option("PATH", arguments.paths, "Folders, tars, lists")
      ->required();
  push_command->callback([&] { body = [&] { return push(arguments); }; });

  return run_app(app, argc, argv, [&] { return body(); });
}

}  // namespace
}  // namespace swavd::bin

int main(int argc, char** argv) {
  return swavd::bin::run(argc, argv);
}
