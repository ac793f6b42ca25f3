#include "ops/daemon/training_loop.h"

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ingest/position_json.h"
#include "ops/daemon/snapshot_keeper.h"
#include "state/run_lease.h"
#include "tests/state/sample.h"

namespace swavd::daemon {
namespace {

using metrics::Id;
using nlohmann::json;

constexpr std::int32_t kBatch = 4;
constexpr std::int64_t kPrototypes = 40;
constexpr std::int64_t kDim = 2;

/// So many batches of records from one partition, then the end. With `flood`
/// each has a rejected record, which is given before it.
class CountedLoader final : public loader::Loader {
 public:
  CountedLoader(std::int64_t first, int batches, bool flood)
      : offset_(first),
        left_(batches),
        flood_(flood) {}

  Result<loader::Next> next(std::chrono::milliseconds) override {
    loader::Next next;
    if (flood_ && left_ > 0 && early_ < 0) {
      early_ = offset_++;
      next.state = loader::NextState::kRejected;
      next.rejected.emplace_back().record.address = {"images", 0, early_};
      return next;
    }
    if (left_-- <= 0) {
      next.state = loader::NextState::kEnd;
      return next;
    }
    next.state = loader::NextState::kBatch;
    next.batch = std::make_unique<loader::Batch>();
    next.batch->images = kBatch;
    if (flood_) {
      loader::Rejected& rejected = next.batch->rejected.emplace_back();
      rejected.record.address = {"images", 0, std::exchange(early_, -1)};
      rejected.given_before = true;
    }
    for (std::int32_t i = 0; i < kBatch; ++i) {
      loader::Slot slot;
      slot.address = {"images", 0, offset_++};
      next.batch->slots.push_back(slot);
    }
    return next;
  }

  loader::LoaderStats stats() const override { return {}; }

  void close() override {}

 private:
  std::int64_t offset_;
  int left_;
  bool flood_;
  std::int64_t early_ = -1;  ///< given before the next batch
};

/// Reports what a script says of each call; a step that is skipped never
/// reaches the ledger within.
class ScriptedTrainer final : public trainer::Trainer {
 public:
  using Script = std::function<void(int call, trainer::StepReport&)>;

  explicit ScriptedTrainer(Script script) : script_(std::move(script)) {}

  loader::BufferAllocator allocator() override { return inner_->allocator(); }

  bool looks_ahead() const override { return looks_ahead_; }

  void expect(const loader::Batch& batch) override {
    expected.push_back(batch.slots.front().address.offset);
  }

  Result<trainer::StepReport> step(const loader::Batch& batch, double rate)
      override {
    rates.push_back(rate);
    expected.push_back(-1 - batch.slots.front().address.offset);
    trainer::StepReport report;
    report.trained = true;
    report.loss = 3.0;
    report.grad_norm = 1.0;
    report.feature_std = 0.7;
    script_(static_cast<int>(rates.size()), report);
    if (report.trained) {
      auto trained = inner_->step(batch, rate);
      if (!trained.ok()) {
        return trained.error();
      }
    }
    report.step = inner_->steps();
    return report;
  }

  state::FrozenState freeze() override { return inner_->freeze(); }

  Status restore(state::SnapshotReader& snapshot) override {
    return inner_->restore(snapshot);
  }

  Status restore_model(
      state::SnapshotReader& snapshot,
      trainer::Weights weights) override {
    return inner_->restore_model(snapshot, weights);
  }

  Status begin_with(const trainer::InitialWeights& weights) override {
    return inner_->begin_with(weights);
  }

  void stop_averaging() override { inner_->stop_averaging(); }

  Result<trainer::Features> embed(const loader::Batch& batch) override {
    return inner_->embed(batch);
  }

  Result<trainer::Choices> assign(const loader::Batch& batch) override {
    return inner_->assign(batch);
  }

  std::uint64_t steps() const override { return inner_->steps(); }

  std::int64_t prototypes() const override { return kPrototypes; }

  double ln_k() const override {
    return std::log(static_cast<double>(kPrototypes));
  }

  std::vector<double> rates;  ///< of every call
  bool looks_ahead_ = false;
  /// First offsets of the batches it was told of; -1 - offset of those trained.
  std::vector<std::int64_t> expected;

 private:
  Script script_;
  std::unique_ptr<trainer::Trainer> inner_ = trainer::make_ledger_trainer();
};

/// Every image chooses another prototype, or all the same.
void choose(trainer::StepReport& report, int call, bool collapsed) {
  for (std::int32_t i = 0; i < kBatch; ++i) {
    report.top_prototypes.push_back(
        collapsed
            ? 7
            : static_cast<std::int32_t>((call * kBatch + i) % kPrototypes));
  }
  report.embeddings = {1.0F, 0.0F, 0.0F, 1.0F};
}

void all_is_well(int call, trainer::StepReport& report) {
  choose(report, call, /*collapsed=*/false);
}

/// One process of a run over a store of its own.
class TrainingLoopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = state::open_local_store({folder_ / "snapshots", 1U << 20U});
    ASSERT_TRUE(store.ok()) << store.error().message;
    store_ = std::move(store).value();
    run_.progress.begin("images", 0, 0);
  }

  /// Trains so many batches, drains, and gives the last snapshot's manifest.
  state::Manifest train(int batches, ScriptedTrainer::Script script) {
    trainer_ = std::make_unique<ScriptedTrainer>(std::move(script));
    trainer_->looks_ahead_ = looks_ahead_;
    CountedLoader loader(next_offset_, batches, flood_);
    next_offset_ += batches * (kBatch + (flood_ ? 1 : 0));
    state::RunLease lease(store_.get(), nullptr, clock_, {});
    LeaseKeeper lease_keeper(
        clock_, registry_, board_, lease, {.thread = false});
    KeeperOptions keeping;
    keeping.threads = false;
    keeping.next_commit = made_.size() + 1;
    SnapshotKeeper keeper(
        clock_,
        registry_,
        *store_,
        nullptr,
        nullptr,
        keeping,
        [this](const DurableSnapshot& snapshot) {
          board_.snapshot_durable({snapshot.id, snapshot.step, 0}, {});
          made_.push_back(snapshot.id);
        });
    TrainingLoop loop(
        {clock_,
         registry_,
         *control_,
         board_,
         manager_,
         loader,
         *trainer_,
         keeper,
         &lease_keeper,
         nullptr,
         {},
         on_step_},
        options(),
        run_);
    const Status ended = loop.run();
    EXPECT_TRUE(ended.ok()) << ended.error().message;
    return newest();
  }

  static LoopOptions options() {
    LoopOptions options;
    options.embedding_dim = kDim;
    options.health.settled_after_images = 400;
    options.generation = 1;
    return options;
  }

  state::Manifest newest() {
    if (made_.empty()) {
      ADD_FAILURE() << "no snapshot";
      return {};
    }
    auto reader = store_->open(made_.back());
    EXPECT_TRUE(reader.ok());
    return reader.ok() ? reader.value()->manifest() : state::Manifest{};
  }

  state::TemporaryFolder folder_;
  SystemClock clock_;
  metrics::Registry registry_;
  std::unique_ptr<Control> control_ = std::make_unique<Control>();
  StatusBoard board_{
      clock_,
      registry_,
      "main",
      "",
      kPrototypes,
      std::log(static_cast<double>(kPrototypes))};
  service::ServiceManager manager_;
  std::unique_ptr<state::SnapshotStore> store_;
  std::unique_ptr<ScriptedTrainer> trainer_;
  RunState run_;
  std::int64_t next_offset_ = 0;
  bool looks_ahead_ = false;
  bool flood_ = false;
  std::vector<std::string> made_;
  std::function<void(const loader::Batch&, const trainer::StepReport&)>
      on_step_;
};

TEST_F(TrainingLoopTest, RecordsRejectedBeforeTheirBatchAreToldOnce) {
  flood_ = true;
  const auto manifest = train(3, all_is_well);
  const auto positions = ingest::positions_from_json(manifest.positions_json);
  ASSERT_TRUE(positions.ok());
  EXPECT_EQ(positions.value().front().trained, 3U * kBatch);
  EXPECT_EQ(positions.value().front().rejected, 3U);
  EXPECT_EQ(registry_.value(Id::kRejected, {"malformed"}), 3);
  EXPECT_EQ(registry_.value(Id::kDecodedImages, {"malformed"}), 3);
}

TEST_F(TrainingLoopTest, SoAreThoseFoundByLookingAhead) {
  flood_ = true;
  looks_ahead_ = true;
  const auto manifest = train(3, all_is_well);
  const auto positions = ingest::positions_from_json(manifest.positions_json);
  ASSERT_TRUE(positions.ok());
  EXPECT_EQ(positions.value().front().trained, 3U * kBatch);
  EXPECT_EQ(positions.value().front().rejected, 3U);
  EXPECT_EQ(registry_.value(Id::kRejected, {"malformed"}), 3);
}

TEST_F(TrainingLoopTest, ASkippedStepConsumesItsRecordsAndCountsAsNoStep) {
  const auto manifest = train(10, [](int call, trainer::StepReport& report) {
    all_is_well(call, report);
    if (call == 3 || call == 4) {
      report.trained = false;
      report.skip_reason = call == 3 ? "nonfinite_loss" : "nonfinite_grad";
      report.loss = std::nan("");
    }
  });
  EXPECT_EQ(manifest.step, 8U);
  EXPECT_EQ(manifest.images, 8U * kBatch);
  const auto positions = ingest::positions_from_json(manifest.positions_json);
  ASSERT_TRUE(positions.ok());
  const ingest::Position& position = positions.value().at(0);
  EXPECT_EQ(position.next, 10 * kBatch);
  EXPECT_EQ(position.trained, 8U * kBatch);
  EXPECT_EQ(position.skipped, 2U * kBatch);
  EXPECT_EQ(json::parse(manifest.ledger_json).at("count"), 10 * kBatch);
  const json schedule = json::parse(manifest.schedule_json);
  EXPECT_EQ(schedule.at("images"), 8 * kBatch);
  EXPECT_DOUBLE_EQ(schedule.at("smoothed_loss").get<double>(), 3.0);
  EXPECT_TRUE(manifest.health.finite);
  EXPECT_EQ(registry_.value(Id::kTrainSkipped, {"nonfinite_loss"}), 1);
  EXPECT_EQ(registry_.value(Id::kTrainSkipped, {"nonfinite_grad"}), 1);
  EXPECT_EQ(registry_.value(Id::kTrainPauses, {"skipped_steps"}), 0);
  EXPECT_EQ(json::parse(board_.json()).at("skipped"), 2 * kBatch);
}

TEST_F(TrainingLoopTest, ATrainerThatLooksAheadIsToldOfTheBatchBehind) {
  looks_ahead_ = true;
  const auto manifest = train(3, all_is_well);
  EXPECT_EQ(
      trainer_->expected,
      (std::vector<std::int64_t>{
          0,
          kBatch,
          -1,
          kBatch,
          2 * kBatch,
          -1 - kBatch,
          2 * kBatch,
          -1 - 2 * kBatch}));
  EXPECT_EQ(manifest.step, 3U);
  EXPECT_EQ(json::parse(manifest.ledger_json).at("count"), 3 * kBatch);
}

TEST_F(TrainingLoopTest, WhatWasLookedAtAndNotTrainedIsNotConsumed) {
  looks_ahead_ = true;
  on_step_ = [&](const loader::Batch&, const trainer::StepReport&) {
    control_->drain();
  };
  const auto manifest = train(3, all_is_well);
  EXPECT_EQ(manifest.step, 1U);
  const auto positions = ingest::positions_from_json(manifest.positions_json);
  ASSERT_TRUE(positions.ok());
  EXPECT_EQ(positions.value().at(0).next, kBatch);
}

TEST_F(TrainingLoopTest, OthersAreNot) {
  (void)train(2, all_is_well);
  EXPECT_EQ(trainer_->expected, (std::vector<std::int64_t>{-1, -1 - kBatch}));
}

TEST_F(TrainingLoopTest, TenSkippedStepsInARowPauseUntilSomebodyResumes) {
  std::vector<std::size_t> paused_at;
  on_step_ = [&](const loader::Batch&, const trainer::StepReport&) {
    if (control_->peek().paused) {
      paused_at.push_back(trainer_->rates.size());
      control_->resume();
    }
  };
  const auto manifest = train(40, [](int call, trainer::StepReport& report) {
    all_is_well(call, report);
    report.trained = call < 5 || call == 14 || call > 35;
    report.skip_reason = "nonfinite_grad";
  });
  // Nine of 5 to 13 are too few; of 15 to 35 it is ten, and ten more.
  EXPECT_EQ(paused_at, (std::vector<std::size_t>{24, 34}));
  EXPECT_EQ(registry_.value(Id::kTrainPauses, {"skipped_steps"}), 2);
  EXPECT_EQ(manifest.step, 10U);
}

TEST_F(TrainingLoopTest, ACollapsePausesOnceUntilItIsOver) {
  std::vector<std::size_t> paused_at;
  on_step_ = [&](const loader::Batch&, const trainer::StepReport&) {
    if (control_->peek().paused) {
      paused_at.push_back(trainer_->rates.size());
      control_->resume();
    }
  };
  const auto collapsed = [](int call) {
    return (call > 200 && call <= 500) || call > 800;
  };
  const auto manifest = train(1000, [&](int call, trainer::StepReport& report) {
    choose(report, call, collapsed(call));
  });
  ASSERT_EQ(paused_at.size(), 2U);
  // The window holds ten images a prototype: 100 batches.
  EXPECT_GT(paused_at[0], 200U);
  EXPECT_LE(paused_at[0], 300U);
  EXPECT_GT(paused_at[1], 800U);
  EXPECT_LE(paused_at[1], 900U);
  EXPECT_EQ(registry_.value(Id::kTrainPauses, {"collapsing"}), 2);
  EXPECT_EQ(
      registry_.value(Id::kHealthChanges, {"collapsing", "few_prototypes"}), 2);
  EXPECT_EQ(manifest.health.verdict, "collapsing");
  EXPECT_EQ(manifest.health.reason, "few_prototypes");
  EXPECT_TRUE(manifest.health.accepted);
}

TEST_F(TrainingLoopTest, ARestartDoesNotResumeWhatACollapsePaused) {
  state::Health health;
  health.verdict = "collapsing";
  health.reason = "one_point";
  run_.health = run_health(health);
  control_->drain();
  (void)train(1, all_is_well);
  EXPECT_TRUE(control_->peek().paused);
  EXPECT_EQ(registry_.value(Id::kTrainPauses, {"collapsing"}), 1);
}

TEST_F(TrainingLoopTest, ARestartGoesOnWhereAnOperatorHasResumed) {
  state::Health health;
  health.verdict = "collapsing";
  health.reason = "one_point";
  health.accepted = true;
  run_.health = run_health(health);
  const auto manifest = train(5, all_is_well);
  EXPECT_FALSE(control_->peek().paused);
  EXPECT_EQ(manifest.step, 5U);
  // Too few images for another verdict: the operator's word still stands.
  EXPECT_EQ(manifest.health.verdict, "collapsing");
  EXPECT_TRUE(manifest.health.accepted);
}

TEST_F(TrainingLoopTest, ARateThatWasSetIsDurableAtOnce) {
  control_->set_rate(0.7);
  const auto manifest = train(3, all_is_well);
  EXPECT_EQ(trainer_->rates, (std::vector<double>{0.7, 0.7, 0.7}));
  EXPECT_EQ(made_.size(), 2U);  // with it, and at the drain
  const auto schedule = schedule_from_json(manifest.schedule_json);
  ASSERT_TRUE(schedule.ok());
  EXPECT_EQ(schedule.value().set_rate.rate, 0.7);
  EXPECT_EQ(schedule.value().set_rate.at, 0U);
  EXPECT_EQ(registry_.value(Id::kTrainLrSets), 1);
  run_.schedule = schedule.value();
  control_ = std::make_unique<Control>();
  (void)train(1, all_is_well);
  EXPECT_EQ(trainer_->rates, (std::vector<double>{0.7}));
}

}  // namespace
}  // namespace swavd::daemon
