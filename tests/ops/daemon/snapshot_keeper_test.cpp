#include "ops/daemon/snapshot_keeper.h"

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/state/sample.h"

namespace swavd::daemon {
namespace {

/// A commit that writes so much, tells so, and keeps nothing.
class ToldStore final : public state::SnapshotStore {
 public:
  explicit ToldStore(std::uint64_t bytes) : bytes_(bytes) {}

  /// Becomes ready once a commit has begun to tell.
  std::future<void> begun() { return begun_.get_future(); }

  Result<std::string> commit(
      state::Manifest manifest,
      const state::FrozenState&,
      const state::CommitOptions& options) override {
    begun_.set_value();
    options.written(bytes_);
    return state::snapshot_id(manifest.step, "text");
  }

  Result<std::vector<state::SnapshotInfo>> list() override {
    return std::vector<state::SnapshotInfo>{};
  }

  Result<std::unique_ptr<state::SnapshotReader>> open(
      const std::string& id) override {
    return Error{ErrorCode::kNotFound, id};
  }

  Status drop(const std::string&) override { return ok_status(); }

  Status set_pinned(const std::string&, bool) override { return ok_status(); }

  Result<std::vector<std::string>> pinned() override {
    return std::vector<std::string>{};
  }

  Result<std::string> read_note(const std::string&) override {
    return std::string();
  }

  Status write_note(const std::string&, const std::string&) override {
    return ok_status();
  }

 private:
  const std::uint64_t bytes_;
  std::promise<void> begun_;
};

SnapshotJob job_of(std::uint64_t step) {
  SnapshotJob job;
  job.manifest = state::sample_manifest(1);
  job.manifest.step = step;
  job.state = state::sample_state(step, 1);
  return job;
}

TEST(SnapshotKeeper, HoldsAWriteToItsRateUntilSomebodyWaitsForIt) {
  constexpr std::uint64_t kHours = 36'000;
  SystemClock clock;
  metrics::Registry registry;
  ToldStore store(kHours);
  KeeperOptions options;
  options.write_rate = 1;  // byte per second
  std::vector<std::string> durable;
  SnapshotKeeper keeper(
      clock,
      registry,
      store,
      nullptr,
      nullptr,
      options,
      [&durable](const DurableSnapshot& snapshot) {
        durable.push_back(snapshot.id);
      });
  auto begun = store.begun();
  keeper.submit(job_of(10));
  begun.wait();
  EXPECT_FALSE(keeper.idle());
  keeper.wait_idle();
  EXPECT_TRUE(keeper.idle());
  EXPECT_EQ(durable.size(), 1U);
  EXPECT_FALSE(keeper.fatal());
}

}  // namespace
}  // namespace swavd::daemon
