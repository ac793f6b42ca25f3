#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "state/safetensors.h"
#include "tests/state/sample.h"
#include "tests/trainer/memory_snapshot.h"
#include "tests/trainer/torch/small_trainer.h"
#include "tests/trainer/weights_on_disk.h"
#include "trainer/initial_weights.h"

namespace swavd::trainer {
namespace {

/// Every tensor's bytes in a frozen trainer, by its name.
std::map<std::string, ByteVector> frozen_tensors(Trainer& trainer) {
  const MemorySnapshot snapshot(trainer.freeze());
  std::map<std::string, ByteVector> tensors;
  for (const auto& [name, bytes] : snapshot.files()) {
    if (!name.ends_with(".safetensors")) {
      continue;
    }
    for (const state::TensorView& tensor :
         state::parse_safetensors(bytes).value().tensors) {
      tensors[tensor.name] = {tensor.data.begin(), tensor.data.end()};
    }
  }
  return tensors;
}

Status begin_with(Trainer& trainer, const std::vector<StoredTensor>& tensors) {
  const state::TemporaryFolder folder;
  const auto weights = InitialWeights::plan(
      small_options(), write_weights(folder / "model.safetensors", tensors));
  SWAVD_CHECK(weights.ok());
  return trainer.begin_with(weights.value());
}

TEST(InitialTensors, AllOfTheModelIsAsInTheFileToTheBit) {
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  const auto given = model_tensors(small_options());
  ASSERT_TRUE(begin_with(*trainer, given).ok());
  const auto frozen = frozen_tensors(*trainer);
  for (const StoredTensor& tensor : given) {
    EXPECT_EQ(frozen.at(tensor.name), tensor.data) << tensor.name;
  }
  EXPECT_EQ(trainer->steps(), 0U);
}

TEST(InitialTensors, WhatTheFileHasNotStaysAsItWas) {
  const std::unique_ptr<Trainer> fresh = make_small(small_options());
  const auto before = frozen_tensors(*fresh);
  const std::unique_ptr<Trainer> trainer = make_small(small_options());
  auto given = model_tensors(small_options());
  std::erase_if(given, [](const StoredTensor& tensor) {
    return is_head_tensor(tensor.name);
  });
  ASSERT_TRUE(begin_with(*trainer, given).ok());
  std::size_t kept = 0;
  for (const auto& [name, bytes] : frozen_tensors(*trainer)) {
    if (is_head_tensor(name) || name.starts_with("momentum.")) {
      EXPECT_EQ(bytes, before.at(name)) << name;
      ++kept;
    } else {
      EXPECT_NE(bytes, before.at(name)) << name;
    }
  }
  EXPECT_GT(kept, 17U);
}

TEST(InitialTensors, TrainingGoesOnFromThem) {
  const std::unique_ptr<Trainer> first = make_small(small_options());
  must_step(*first, 0);
  std::vector<StoredTensor> learnt;
  for (StoredTensor& tensor : model_tensors(small_options())) {
    tensor.data = frozen_tensors(*first).at(tensor.name);
    learnt.push_back(std::move(tensor));
  }
  TrainerOptions other_seed = small_options();
  other_seed.seed = 99;
  const std::unique_ptr<Trainer> second = make_small(other_seed);
  ASSERT_TRUE(begin_with(*second, learnt).ok());
  // The loss is that of the given weights; the step number begins anew.
  EXPECT_EQ(must_step(*second, 1).loss, must_step(*first, 1).loss);
  EXPECT_EQ(second->steps(), 1U);
}

}  // namespace
}  // namespace swavd::trainer
