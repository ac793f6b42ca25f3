#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "metrics/registry.h"
#include "ops/base/clock.h"
#include "ops/base/mutex.h"
#include "ops/base/result.h"
#include "ops/base/stage.h"
#include "ops/daemon/probe_figures.h"

namespace swavd::daemon {

struct ProberOptions {
  std::string program = "/proc/self/exe";  ///< swavd
  std::string place;            ///< where the snapshots lie: REF without an id
  std::string train;            ///< a PATH with labels
  std::string test;             ///< likewise
  std::uint64_t every = 1;      ///< every so-manieth commit
  std::uint64_t bank = 10'000;  ///< images of `train` at most; 0: all
  std::uint64_t queries = 2'000;  ///< images of `test` at most; 0: all
  std::chrono::milliseconds time_limit{3'600'000};
};

/// Measures fresh snapshots with kNN: one child process at a time runs
/// `swavd eval knn` at the lowest priority, so that a probe never costs the
/// training more than a copy of the model in memory. A snapshot that is due
/// while a probe runs waits; a newer one takes its place. Thread-safe.
class Prober {
 public:
  /// `on_figures` is called on the prober's thread after each success.
  Prober(
      const Clock& clock,
      metrics::Registry& registry,
      ProberOptions options,
      std::function<void(const ProbeFigures&)> on_figures);
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;
  /// As `stop`.
  ~Prober() = default;

  /// Says that a snapshot is durable. Never blocks.
  void
  committed(const std::string& id, std::uint64_t commit, std::uint64_t step);

  /// Kills a child that runs, which is no failure, and starts no other.
  void stop();

 private:
  struct Job {
    std::string id;
    std::uint64_t step = 0;
  };

  void loop(const std::stop_token& stop);
  void probe(const Job& job, const std::stop_token& stop);
  /// To the metrics, the log and the board.
  void show(const ProbeFigures& figures);
  void failed(std::string_view reason, const std::string& what);

  const Clock& clock_;
  metrics::Registry& registry_;
  const ProberOptions options_;
  const std::function<void(const ProbeFigures&)> on_figures_;

  Mutex mutex_;
  std::condition_variable_any wanted_;
  std::optional<Job> next_ SWAVD_GUARDED_BY(mutex_);
  Stage stage_;  // last: its thread uses the rest
};

}  // namespace swavd::daemon
