#include "tests/e2e/site.h"

#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/scale.h"

namespace swavd::e2e {

namespace {

using nlohmann::json;

/// Crops of the ledger are as small as they may be, and records of these short
/// streams do not wait long for others: those tests are about what happens
/// around the training.
std::string model_of(const SiteOptions& options) {
  if (!options.preset.empty()) {
    return fmt::format("[model]\npreset = \"{}\"\n", options.preset);
  }
  return fmt::format(
      R"([model]
trainer = "ledger"
[loader]
batch_images = {}
workers = 2
shuffle_wait = "50ms"
crops = [{{count = 2, size = 8, scale = [0.5, 1.0]}}]
)",
      options.batch_images);
}

std::string toml_of(const SiteOptions& options, const Site& site) {
  std::string text = fmt::format(
      R"(run = "main"
data_dir = "{}"
[stream]
url = "{}"
partitions = 4
{}[snapshot]
every_steps = {}
every = "0s"
keep_last = 1000000
reserve_bytes = "8MiB"
[lease]
heartbeat = "300ms"
expiry = "3s"
[http]
listen = "127.0.0.1:{}"
)",
      site.data_dir(),
      site.stream_url(),
      model_of(options),
      options.every_steps,
      site.port());
  if (!options.object_store.empty()) {
    text += fmt::format(
        "[object_store]\nurl = \"{}\"\nkeep_last = 1000000\n",
        options.object_store);
  }
  return text + options.more;
}

json parse(const Finished& finished, const std::string& what) {
  EXPECT_EQ(finished.status, 0) << what << ": " << finished.err;
  auto parsed = json::parse(finished.out, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << what << ": " << finished.out;
  return parsed;
}

}  // namespace

Site::Site(const SiteOptions& options)
    : stream_url_(
          options.stream_url.empty() ? "log://" + path("stream/images")
                                     : options.stream_url),
      program_(options.program),
      port_(free_port()) {
  folder_.write("swavd.toml", toml_of(options, *this));
}

std::string Site::path(const std::string& name) const {
  return (folder_.path() / name).string();
}

std::unique_ptr<Process> Site::start(const std::vector<std::string>& more) {
  return start_under({}, more);
}

std::unique_ptr<Process> Site::start_under(
    const std::vector<std::string>& wrapper,
    const std::vector<std::string>& more,
    const std::vector<std::string>& environment) {
  std::vector<std::string> words = wrapper;
  words.push_back(program_path(program_));
  words.insert(words.end(), {"run", "--config", config()});
  words.insert(words.end(), more.begin(), more.end());
  const std::string program = words.front();
  words.erase(words.begin());
  return std::make_unique<Process>(Command{
      program, words, environment, path(fmt::format("daemon{}", starts_++))});
}

std::unique_ptr<Process> Site::start_training(
    const std::vector<std::string>& more) {
  auto daemon = start(more);
  (void)wait_for_state(*daemon, "training");
  return daemon;
}

bool Site::wait_for_state(Process& daemon, const std::string& state) const {
  std::string seen = "no answer";
  const bool reached = wait_until(kPatience, [&] {
    if (const auto status = http_status(port_)) {
      seen = status->value("state", "");
    }
    return seen == state || !daemon.running();
  });
  const bool alive = daemon.running();
  EXPECT_TRUE(reached && alive) << "not " << state << " but " << seen << ":\n"
                                << daemon.err();
  return reached && alive;
}

bool Site::wait_for_images(
    Process& daemon,
    std::uint64_t images,
    std::chrono::milliseconds patience) const {
  std::uint64_t seen = 0;
  const bool reached = wait_until(patience, [&] {
    if (const auto status = http_status(port_)) {
      seen = status->value("images", std::uint64_t{0});
    }
    return seen >= images || !daemon.running();
  });
  const bool alive = daemon.running();
  EXPECT_TRUE(reached && alive) << seen << " of " << images << " images:\n"
                                << daemon.err();
  return reached && alive;
}

int Site::drain(Process& daemon) {
  daemon.signal(SIGTERM);
  const auto status = daemon.wait(kPatience);
  EXPECT_TRUE(status) << "swavd does not end:\n" << daemon.err();
  EXPECT_EQ(status.value_or(Finished::kTimedOut), 0) << daemon.err();
  return status.value_or(Finished::kTimedOut);
}

json push(
    const std::string& stream_url,
    const std::string& path,
    const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {
      "push", "--to", stream_url, "--partitions", "4"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  arguments.push_back(path);
  return parse(run_program("swavd-crawl", arguments), "push");
}

json list_snapshots(const std::string& ref) {
  return parse(swavctl({"snapshots", "ls", ref, "--json"}), "ls " + ref);
}

json show_snapshot(const std::string& ref) {
  return parse(swavctl({"snapshots", "show", ref, "--json"}), "show " + ref);
}

json newest_snapshot(const std::string& ref) {
  const json all = list_snapshots(ref);
  if (!all.is_array() || all.empty()) {
    ADD_FAILURE() << "no snapshot in " << ref;
    return json::object();
  }
  return show_snapshot(ref + "@" + all.back().value("id", ""));
}

Finished swavctl(const std::vector<std::string>& arguments) {
  return run_program("swavctl", arguments);
}

}  // namespace swavd::e2e
