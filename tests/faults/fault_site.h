#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "ingest/sink.h"
#include "state/snapshot_store.h"
#include "tests/e2e/ledger_oracle.h"
#include "tests/e2e/site.h"

namespace swavd::faults {

/// The images of one step.
inline constexpr std::uint64_t kBatch = 16;

/// A daemon that makes a snapshot after every step and keeps the last four,
/// a stream that this process writes, and the oracle: after each fault the
/// invariants are asked of every snapshot there is.
class FaultSite {
 public:
  explicit FaultSite(const e2e::SiteOptions& options = every_step());

  /// A snapshot after every step.
  [[nodiscard]] static e2e::SiteOptions every_step();

  [[nodiscard]] e2e::Site& site() { return site_; }

  [[nodiscard]] const e2e::Site& site() const { return site_; }

  /// Publishes so many good images; they are durable when it returns.
  void feed(std::uint64_t images);

  /// Publishes one record that is no image.
  void feed_bad();

  [[nodiscard]] std::uint64_t fed() const { return fed_; }

  /// Lets another process write the stream.
  void stop_writing() { sink_.reset(); }

  /// The arguments every daemon of this site has, and `more`.
  [[nodiscard]] std::vector<std::string> arguments(
      std::vector<std::string> more = {}) const;

  [[nodiscard]] std::unique_ptr<e2e::Process> start(
      const std::vector<std::string>& more = {});

  /// Starts a daemon, waits until it trains and checks all invariants: what an
  /// earlier one called durable is there, and nothing went back.
  [[nodiscard]] std::unique_ptr<e2e::Process> recover(
      const std::vector<std::string>& more = {});

  /// Takes note of what an ended daemon has called durable.
  void heed(const e2e::Process& ended);

  /// Waits until all that was fed is trained on, whole batches of it.
  bool catch_up(e2e::Process& daemon) const;

  /// Recovers, catches up and drains: the newest snapshot then stands for
  /// every record that was ever fed.
  void finish();

  /// Expects a running daemon to have counted under `metric` ("name{labels}")
  /// and to have logged with `word`: one reason, told twice.
  void expect_reason(
      const e2e::Process& daemon,
      const std::string& metric,
      const std::string& word) const;

  /// Every snapshot of the local tier: whole, with weights that are those of
  /// its position, and one line of parents; the one last called durable is
  /// among them.
  void check();

  /// Only the newest: it is whole and exact. For where older ones are known to
  /// be damaged.
  void check_newest();

  /// The manifest of the newest one; null when there is none.
  [[nodiscard]] const nlohmann::json& newest() const { return newest_; }

 private:
  void open_sink();
  void publish(const std::string& payload);
  void check_line();
  void check_one(state::SnapshotReader& reader, const e2e::Topic& topic);
  [[nodiscard]] bool has_durable() const;

  e2e::Site site_;
  std::unique_ptr<ingest::Sink> sink_;
  std::uint64_t fed_ = 0;
  std::uint64_t keys_ = 0;
  std::string durable_;  ///< id of the newest said to be durable
  nlohmann::json newest_;
  std::set<std::string> exact_;  ///< ids found exact
};

}  // namespace swavd::faults
