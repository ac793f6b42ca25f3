#include <cstring>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "ops/base/sha256.h"
#include "state/safetensors.h"
#include "tests/trainer/memory_snapshot.h"
#include "trainer/trainer.h"

namespace swavd::trainer {
namespace {

loader::Batch batch_of(std::int64_t first, std::int64_t last) {
  loader::Batch batch;
  for (std::int64_t offset = first; offset <= last; ++offset) {
    batch.slots.push_back({{"images", 3, offset}, -1, {}, "", ""});
  }
  batch.images = static_cast<std::int32_t>(batch.slots.size());
  return batch;
}

std::uint64_t hash_of(const std::string& address) {
  return load_u64_le(sha256(as_bytes(address)).data());
}

std::uint64_t stored(const state::FrozenState& frozen, const char* name) {
  for (const state::TensorView& tensor : frozen.tensor_files.at(0).tensors) {
    if (tensor.name == name) {
      std::uint64_t value = 0;
      std::memcpy(&value, tensor.data.data(), sizeof value);
      return value;
    }
  }
  ADD_FAILURE() << name << " is not stored";
  return 0;
}

void feed(Trainer& trainer, const loader::Batch& batch) {
  const Result<StepReport> report = trainer.step(batch, 0.1);
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report.value().trained);
  EXPECT_EQ(report.value().step, trainer.steps());
}

TEST(LedgerTrainer, WeightsAreCountAndHashOfTheAddressesFed) {
  const std::unique_ptr<Trainer> trainer = make_ledger_trainer();
  loader::Batch batch = batch_of(7, 8);
  batch.rejected.emplace_back().record.address = {"images", 0, 1};
  feed(*trainer, batch);
  const state::FrozenState frozen = trainer->freeze();
  EXPECT_EQ(frozen.step, 1U);
  EXPECT_EQ(stored(frozen, "ledger.count"), 3U);
  EXPECT_EQ(
      stored(frozen, "ledger.hash"),
      hash_of("images/3/7") + hash_of("images/3/8") + hash_of("images/0/1"));
}

TEST(LedgerTrainer, ContinuesFromASnapshotAsIfNothingHadHappened) {
  const std::unique_ptr<Trainer> original = make_ledger_trainer();
  feed(*original, batch_of(0, 9));
  MemorySnapshot snapshot(original->freeze());
  const std::unique_ptr<Trainer> restored = make_ledger_trainer();
  feed(*restored, batch_of(100, 120));  // forgotten by the restore
  ASSERT_TRUE(restored->restore(snapshot).ok());
  EXPECT_EQ(restored->steps(), 1U);
  feed(*original, batch_of(10, 19));
  feed(*restored, batch_of(10, 19));
  EXPECT_EQ(
      MemorySnapshot(restored->freeze()).files(),
      MemorySnapshot(original->freeze()).files());
}

TEST(LedgerTrainer, ASkippedRecordShowsInTheHash) {
  const std::unique_ptr<Trainer> whole = make_ledger_trainer();
  const std::unique_ptr<Trainer> shifted = make_ledger_trainer();
  feed(*whole, batch_of(0, 9));
  feed(*shifted, batch_of(1, 10));
  EXPECT_EQ(
      stored(whole->freeze(), "ledger.count"),
      stored(shifted->freeze(), "ledger.count"));
  EXPECT_NE(
      stored(whole->freeze(), "ledger.hash"),
      stored(shifted->freeze(), "ledger.hash"));
}

TEST(LedgerTrainer, AFrozenStateDoesNotMoveWithTheTrainer) {
  const std::unique_ptr<Trainer> trainer = make_ledger_trainer();
  feed(*trainer, batch_of(0, 4));
  const state::FrozenState frozen = trainer->freeze();
  feed(*trainer, batch_of(5, 9));
  EXPECT_EQ(stored(frozen, "ledger.count"), 5U);
}

TEST(LedgerTrainer, RefusesAnotherTrainersSnapshot) {
  const float weight = 1;
  state::FrozenState other;
  other.tensor_files.push_back(
      {"model.safetensors",
       {{"ledger.count",
         state::DType::kF32,
         {},
         Bytes(reinterpret_cast<const std::uint8_t*>(&weight), 4)}},
       {}});
  MemorySnapshot snapshot(other);
  const Status status = make_ledger_trainer()->restore(snapshot);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(status.error().message.find("ledger.count"), std::string::npos);
}

TEST(LedgerTrainer, HasNoPrototypesAndNoFeatures) {
  const std::unique_ptr<Trainer> trainer = make_ledger_trainer();
  EXPECT_EQ(trainer->prototypes(), 0);
  const Result<Features> features = trainer->embed(batch_of(0, 1));
  ASSERT_FALSE(features.ok());
  EXPECT_EQ(features.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace swavd::trainer
