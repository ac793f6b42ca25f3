#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "metrics/registry.h"
#include "ops/daemon/control.h"
#include "ops/daemon/snapshot_keeper.h"
#include "state/run_record.h"
#include "tests/ingest/memory_stream.h"
#include "tests/ops/base/manual_clock.h"
#include "tests/sim/chance.h"
#include "tests/sim/oracle.h"
#include "tests/state/memory_object_store.h"

namespace swavd::sim {

inline constexpr std::int32_t kBatchImages = 4;

/// What outlives every process: the stream, the object store, time, the
/// choices, and the oracle that watches.
class World {
 public:
  explicit World(std::uint64_t seed);

  /// A moment at which the running process may die. Throws Died.
  void moment();

  /// Something fails, once in so many times; never in calm weather.
  [[nodiscard]] bool fails(std::uint64_t once_in);

  /// Publishes a few records, a bad one among them now and then.
  void publish();

  /// What may happen beside a process, between two looks of its loop.
  void happen(daemon::Control& control, daemon::SnapshotKeeper& keeper);

  /// From here on nothing fails any more, and what was broken is mended.
  void calm_down();

  [[nodiscard]] bool calm() const { return calm_; }

  /// A process that no other of this world has been.
  [[nodiscard]] state::RunOwner new_owner();

  Chance chance;
  testing::ManualClock clock;
  Oracle oracle;
  std::shared_ptr<ingest::testing::MemoryStream> stream;
  state::MemoryObjectStore objects;
  metrics::Registry& registry;
  bool rivals = false;     ///< a second machine works on this run
  bool jump_gaps = false;  ///< stream.on_gap
  std::int64_t shuffle_records = 1;
  std::uint64_t shuffle_bytes = 0;
  bool retention_ran = false;  ///< offsets may be gone

 private:
  void trouble_in_the_stream();

  std::uint64_t seed_;
  std::int64_t owners_ = 0;
  bool calm_ = false;
  bool outage_ = false;
  std::int32_t partitions_ = 2;
  std::vector<std::int64_t> begin_;
  std::vector<std::int64_t> end_;
};

/// The object store as a process sees it: it may be away, lose an answer, or
/// be the last thing a process ever did.
class SimObjects final : public state::ObjectStore {
 public:
  explicit SimObjects(World& world) : world_(world) {}

  Result<std::string> put(
      const std::string& key,
      std::uint64_t bytes,
      const std::function<Result<Bytes>()>& source,
      const state::PutCondition& condition) override;
  Result<state::ObjectInfo> get(
      const std::string& key,
      const std::function<Status(Bytes)>& sink) override;
  Result<std::optional<state::ObjectInfo>> get_if_changed(
      const std::string& key,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) override;
  Result<state::ObjectInfo> get_range(
      const std::string& key,
      std::uint64_t offset,
      std::uint64_t bytes,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) override;
  Result<std::vector<state::ObjectInfo>> list(
      const std::string& prefix) override;
  Status remove(const std::string& key) override;

 private:
  [[nodiscard]] Status before();

  World& world_;
};

}  // namespace swavd::sim
