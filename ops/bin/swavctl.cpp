// swavctl: talks to a running daemon, and looks at snapshots without one.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

#include "metrics/names.h"
#include "ops/base/check.h"
#include "ops/base/clock.h"
#include "ops/base/log.h"
#include "ops/bin/cli.h"
#include "ops/service/http_server.h"
#include "ops/service/lifecycle.h"
#include "state/rollback_command.h"
#include "state/snapshot_commands.h"
#include "state/snapshot_diff.h"
#include "state/snapshot_export.h"
#include "state/snapshot_follow.h"

namespace swavd::bin {
namespace {

using Body = std::function<Status()>;

Status print_result(const Result<std::string>& result) {
  if (!result.ok()) {
    return result.error();
  }
  print(result.value());
  return ok_status();
}

/// The socket when none is named: systemd's runtime folder, else the default
/// data folder.
std::string default_socket() {
  const char* runtime = std::getenv("RUNTIME_DIRECTORY");
  return std::string(runtime != nullptr ? runtime : "/run/swavd") +
         "/admin.sock";
}

void add_admin(CLI::App& app, std::string& socket, Body& body) {
  struct Row {
    const char* name;
    const char* help;
  };

  for (const Row& row :
       {Row{"status", "What the daemon is doing, as JSON"},
        Row{"pause", "Stop training, hold the position"},
        Row{"resume", "Go on after a pause"},
        Row{"snapshot", "Commit a snapshot now"},
        Row{"drain", "Finish the step, commit a snapshot, exit 0"},
        Row{"reload", "Read the configuration anew"}}) {
    auto* command = app.add_subcommand(row.name, row.help);
    command->add_option("--socket", socket, "The daemon's admin socket");
    if (std::string(row.name) == "snapshot") {
      auto* now = command->add_subcommand("now", "Commit a snapshot now");
      now->group("");
    }
    command->callback([&socket, &body, name = std::string(row.name)] {
      body = [&socket, name] {
        return print_result(service::admin_call(socket, name, ""));
      };
    });
  }
}

void add_schedule(
    CLI::App& app,
    std::string& socket,
    std::string& rate,
    Body& body) {
  auto* group = app.add_subcommand("schedule", "The learning rate of a run");
  group->require_subcommand(1);
  auto* set = group->add_subcommand(
      "set-rate",
      "Go on at this rate; halvings and cosines continue from it, and a "
      "snapshot is taken with it");
  set->add_option("RATE", rate, "Above 0, at most 1000")->required();
  set->add_option("--socket", socket, "The daemon's admin socket");
  set->callback([&socket, &rate, &body] {
    body = [&socket, &rate] {
      return print_result(service::admin_call(socket, "set-rate", rate));
    };
  });
}

struct SnapshotArguments {
  std::string ref;
  std::string folder;
  std::string other;  ///< the second REF of diff
  bool json = false;
  bool with_state = false;
  bool follow = false;
  bool newest = false;
  bool remove = false;
  state::FollowOptions follow_options;
  std::uint64_t every_ms = 10'000;
  std::uint64_t grace_ms = 60'000;
  bool take_over = false;
  std::string layout;
  bool with_head = false;

  [[nodiscard]] state::OutputFormat format() const {
    return json ? state::OutputFormat::kJson : state::OutputFormat::kText;
  }

  [[nodiscard]] state::PullFiles files() const {
    return with_state ? state::PullFiles::kAll : state::PullFiles::kConsumers;
  }
};

Status verify(const SnapshotArguments& arguments) {
  const auto report = state::verify_command(arguments.ref, arguments.format());
  if (!report.ok()) {
    return report.error();
  }
  print(report.value().text);
  return report.value().outcome;
}

/// Until SIGTERM or SIGINT.
Status follow(const SnapshotArguments& arguments) {
  std::stop_source stop;
  const service::Signals signals(
      [&stop](service::Request) { stop.request_stop(); });
  const SystemClock clock;
  state::FollowOptions options = arguments.follow_options;
  options.files = arguments.files();
  options.choice = arguments.newest ? state::FollowChoice::kNewest
                                    : state::FollowChoice::kNewestHealthy;
  options.every = std::chrono::milliseconds(arguments.every_ms);
  options.grace = std::chrono::milliseconds(arguments.grace_ms);
  options.jitter_seed = static_cast<std::uint64_t>(clock.unix_ms()) ^
                        static_cast<std::uint64_t>(::getpid()) << 48U;
  state::FollowEvents events;
  events.switched = [&](const state::FollowSwitch& made) {
    log(LogLevel::kInfo, "snapshot_switched", state::switch_text(made));
    if (arguments.json) {
      print(state::switch_json(made));
      std::fflush(stdout);
    }
  };
  events.trouble = [](std::string_view reason, const std::string& message) {
    log(LogLevel::kWarning, reason, message);
  };
  const auto totals = state::follow(
      clock,
      arguments.ref,
      arguments.folder,
      options,
      events,
      stop.get_token());
  if (!totals.ok()) {
    return totals.error();
  }
  log(LogLevel::kInfo,
      "follow_stopped",
      "asked to stop",
      {{"switches", std::to_string(totals.value().switches)},
       {"failures", std::to_string(totals.value().failures)},
       {"hook_failures", std::to_string(totals.value().hook_failures)}});
  return ok_status();
}

Status pull(const SnapshotArguments& arguments) {
  return arguments.follow ? follow(arguments)
                          : print_result(state::pull_command(
                                arguments.ref,
                                arguments.folder,
                                arguments.files(),
                                arguments.format()));
}

void add_pull_options(CLI::App& command, SnapshotArguments& arguments) {
  const CLI::AsNumberWithUnit duration(
      std::map<std::string, std::uint64_t>{
          {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}},
      CLI::AsNumberWithUnit::UNIT_REQUIRED);
  command.add_option("DIR", arguments.folder, "Made when absent")->required();
  command.add_flag(
      "--with-state", arguments.with_state, "The files to resume from too");
  auto* follow_flag = command.add_flag(
      "--follow",
      arguments.follow,
      "Keep DIR/current at the newest healthy snapshot, until SIGTERM");
  state::FollowOptions& options = arguments.follow_options;
  for (CLI::Option* option :
       {command.add_flag(
            "--newest", arguments.newest, "The newest, whatever its health"),
        command
            .add_option("--every", arguments.every_ms, "Between two looks: 10s")
            ->transform(duration),
        command.add_option(
            "--keep", options.keep, "How many snapshots stay in DIR: 2"),
        command
            .add_option(
                "--grace",
                arguments.grace_ms,
                "How long one stays that was switched away from: 1m")
            ->transform(duration),
        command.add_option(
            "--parallel", options.parallel, "Downloads at once: 4"),
        command.add_option(
            "--exec",
            options.exec,
            "Shell command after each switch; finds SWAVD_SNAPSHOT_ID, _STEP, "
            "_HEALTH and _FOLDER")}) {
    option->needs(follow_flag);
  }
}

Status export_snapshot(const SnapshotArguments& arguments) {
  const auto layout = state::layout_from(arguments.layout);
  SWAVD_CHECK(layout.has_value());  // the option takes no other word
  return print_result(state::export_command(
      arguments.ref,
      arguments.folder,
      {*layout, arguments.with_head},
      arguments.format()));
}

void add_export_options(CLI::App& command, SnapshotArguments& arguments) {
  std::vector<std::string> words;
  for (const state::Layout layout : state::kLayouts) {
    words.emplace_back(state::to_string(layout));
  }
  command.add_option("DIR", arguments.folder, "A new or empty folder")
      ->required();
  command.add_option("--layout", arguments.layout, "Whose names")
      ->required()
      ->check(CLI::IsMember(std::move(words)));
  command.add_flag(
      "--with-head",
      arguments.with_head,
      "The projection head and the prototypes too");
}

/// A run whose owner may be alive is watched for a while first.
Status rollback(const SnapshotArguments& arguments) {
  std::stop_source stop;
  const service::Signals signals(
      [&stop](service::Request) { stop.request_stop(); });
  bool told = false;
  state::RollbackOptions options;
  options.format = arguments.format();
  options.take_over = arguments.take_over;
  options.wait = [&](std::chrono::milliseconds pause) {
    if (!std::exchange(told, true)) {
      log(LogLevel::kWarning,
          "waiting",
          "watching whether the run's last owner is alive");
    }
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    (void)never.wait_for(lock, stop.get_token(), pause, [] { return false; });
    return !stop.stop_requested();
  };
  const SystemClock clock;
  return print_result(state::rollback_command(arguments.ref, clock, options));
}

void add_snapshots(CLI::App& app, SnapshotArguments& arguments, Body& body) {
  auto* group = app.add_subcommand(
      "snapshots",
      "Look at snapshots in a data folder, an object store or a folder");
  group->require_subcommand(1);
  const auto add = [&](const char* name,
                       const char* help,
                       std::function<Status(const SnapshotArguments&)> work) {
    auto* command = group->add_subcommand(name, help);
    command
        ->add_option(
            "REF", arguments.ref, "A path or URL, with @ID for one of several")
        ->required();
    command->add_flag("--json", arguments.json, "As JSON");
    command->callback([&arguments, &body, work = std::move(work)] {
      body = [&arguments, work] { return work(arguments); };
    });
    return command;
  };
  add("ls", "List the snapshots, oldest first", [](const auto& chosen) {
    return print_result(state::list_command(chosen.ref, chosen.format()));
  });
  add("show", "Say what a snapshot holds", [](const auto& chosen) {
    return print_result(state::show_command(chosen.ref, chosen.format()));
  });
  add("verify", "Read every byte and check every digest", verify);
  add("diff",
      "What lies between two snapshots",
      [](const auto& chosen) {
        return print_result(
            state::diff_command(chosen.ref, chosen.other, chosen.format()));
      })
      ->add_option(
          "REF2", arguments.other, "Another REF, or @ID for the same place")
      ->required();
  add("rollback",
      "Let the run continue from REF@ID in a new generation",
      rollback)
      ->add_flag(
          "--take-over",
          arguments.take_over,
          "Take the run from a daemon that may be alive; it exits 76 then");
  add("pin", "Keep the snapshot REF@ID from retention", [](const auto& chosen) {
    return print_result(state::pin_command(
        chosen.ref,
        chosen.remove ? state::PinChange::kRemove : state::PinChange::kPin,
        chosen.format()));
  })->add_flag("--remove", arguments.remove, "Let it go again");
  add_pull_options(
      *add("pull", "Copy a snapshot into a folder", pull), arguments);
  add_export_options(
      *add(
          "export",
          "Write a snapshot's model under another library's names",
          export_snapshot),
      arguments);
}

void add_docs(CLI::App& app, Body& body) {
  auto* docs = app.add_subcommand(
      "docs", "Print a reference page of this build (Markdown)");
  docs->require_subcommand(1);
  docs->add_subcommand("config", "Every key of the configuration")
      ->callback([&] {
        body = [] {
          print(service::config_reference_page());
          return ok_status();
        };
      });
  docs->add_subcommand("metrics", "Every metric")->callback([&] {
    body = [] {
      print(std::string(metrics::reference_page()));
      return ok_status();
    };
  });
}

int run(int argc, char** argv) {
  CLI::App app(
      "Talks to a running swavd, and looks at snapshots without one.",
      "swavctl");
  app.require_subcommand(1);
  Body body;
  std::string socket = default_socket();
  std::string rate;
  SnapshotArguments snapshots;
  add_admin(app, socket, body);
  add_schedule(app, socket, rate, body);
  add_snapshots(app, snapshots, body);
  add_docs(app, body);
  return run_app(app, argc, argv, [&] { return body(); });
}

}  // namespace
}  // namespace swavd::bin

int main(int argc, char** argv) {
  return swavd::bin::run(argc, argv);
}
