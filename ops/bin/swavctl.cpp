// swavctl: talks to a running daemon, and looks at snapshots without one.

#include <cstdlib>
#include <functional>
#include <stop_token>
#include <string>
#include <utility>

#include "metrics/names.h"
#include "ops/base/log.h"
#include "ops/bin/cli.h"
#include "ops/service/http_server.h"
#include "ops/service/lifecycle.h"
#include "state/snapshot_commands.h"

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

struct SnapshotArguments {
  std::string ref;
  std::string folder;
  bool json = false;
  bool with_state = false;
  bool follow = false;

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
  state::FollowOptions options;
  options.files = arguments.files();
  options.format = arguments.format();
  return state::follow_command(
      arguments.ref,
      arguments.folder,
      options,
      stop.get_token(),
      [](const Result<std::string>& pulled) {
        if (pulled.ok()) {
          print(pulled.value());
        } else {
          log(LogLevel::kWarning,
              to_string(pulled.error().code),
              pulled.error().message);
        }
      });
}

Status pull(const SnapshotArguments& arguments) {
  return arguments.follow ? follow(arguments)
                          : print_result(state::pull_command(
                                arguments.ref,
                                arguments.folder,
                                arguments.files(),
                                arguments.format()));
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
            "REF",
            arguments.ref,
            "A path or file:// URL, with @ID for one of several")
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
  auto* pull_command = add("pull", "Copy a snapshot into a folder", pull);
  pull_command->add_option("DIR", arguments.folder, "Made when absent")
      ->required();
  pull_command->add_flag(
      "--with-state", arguments.with_state, "The files to resume from too");
  pull_command->add_flag(
      "--follow", arguments.follow, "Again for every new snapshot, for ever");
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
  SnapshotArguments snapshots;
  add_admin(app, socket, body);
  add_snapshots(app, snapshots, body);
  add_docs(app, body);
  return run_app(app, argc, argv, [&] { return body(); });
}

}  // namespace
}  // namespace swavd::bin

int main(int argc, char** argv) {
  return swavd::bin::run(argc, argv);
}
