#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/e2e/process.h"
#include "tests/e2e/scale.h"
#include "tests/ingest/crawl/temp_folder.h"

namespace swavd::e2e {

struct SiteOptions {
  std::string stream_url;  ///< empty: log:// in a folder of the site
  int batch_images = 16;
  int every_steps = 3;       ///< steps from snapshot to snapshot
  std::string object_store;  ///< url; empty: none
  /// Trains what the preset says; empty: a ledger instead of a network.
  std::string preset;
  std::string more;               ///< further lines of TOML: whole sections
  std::string program = "swavd";  ///< a path, or a name as in `Command`
};

/// A folder with the configuration of one daemon, its data and its logs, gone
/// with this object.
class Site {
 public:
  explicit Site(const SiteOptions& options = {});

  [[nodiscard]] int port() const { return port_; }

  [[nodiscard]] const std::string& stream_url() const { return stream_url_; }

  /// `name` in the site's folder.
  [[nodiscard]] std::string path(const std::string& name) const;

  [[nodiscard]] std::string config() const { return path("swavd.toml"); }

  [[nodiscard]] std::string data_dir() const { return path("data"); }

  [[nodiscard]] std::string socket() const { return path("data/admin.sock"); }

  /// Starts `swavd run` with these further arguments.
  [[nodiscard]] std::unique_ptr<Process> start(
      const std::vector<std::string>& more = {});

  /// As `start`, but as arguments of another program that runs it (its path
  /// first), with "NAME=VALUE" on top of the environment.
  [[nodiscard]] std::unique_ptr<Process> start_under(
      const std::vector<std::string>& wrapper,
      const std::vector<std::string>& more = {},
      const std::vector<std::string>& environment = {});

  /// Starts it and waits until it trains; fails the test when it does not.
  [[nodiscard]] std::unique_ptr<Process> start_training(
      const std::vector<std::string>& more = {});

  /// Waits until /status shows `images` trained along the lineage, or more;
  /// false, with a test failure, when that does not come in time.
  bool wait_for_images(
      Process& daemon,
      std::uint64_t images,
      std::chrono::milliseconds patience = kPatience) const;

  /// Waits until /status shows this state; false, with a test failure, when
  /// that does not come.
  bool wait_for_state(Process& daemon, const std::string& state) const;

  /// SIGTERM, and the exit status; a test failure when it does not end.
  static int drain(Process& daemon);

 private:
  ingest::testing::TempFolder folder_;
  std::string stream_url_;
  std::string program_;
  int port_;
  int starts_ = 0;
};

/// `swavd-crawl push` of files that are there: the JSON it prints.
nlohmann::json push(
    const std::string& stream_url,
    const std::string& path,
    const std::vector<std::string>& more = {});

/// `swavctl snapshots ls --json`, oldest first.
[[nodiscard]] nlohmann::json list_snapshots(const std::string& ref);

/// `swavctl snapshots show --json`.
[[nodiscard]] nlohmann::json show_snapshot(const std::string& ref);

/// The newest snapshot: the last of the list, shown.
[[nodiscard]] nlohmann::json newest_snapshot(const std::string& ref);

/// Runs swavctl.
[[nodiscard]] Finished swavctl(const std::vector<std::string>& arguments);

}  // namespace swavd::e2e
