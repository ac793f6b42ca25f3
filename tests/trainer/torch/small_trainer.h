#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dedup_free_loader/batch.h"
#include "state/frozen_state.h"
#include "tests/trainer/memory_snapshot.h"
#include "trainer/trainer.h"

namespace swavd::trainer {

/// The model of tests/golden/trainer/make_golden.py, on one thread.
[[nodiscard]] TrainerOptions small_options();

/// A trainer for valid options.
[[nodiscard]] std::unique_ptr<Trainer> make_small(
    const TrainerOptions& options);

/// The script's crops for `step`: two of 32 and two of 16 pixels of six images.
[[nodiscard]] loader::Batch small_batch(int step);

/// The script's evaluation images: the first group of `small_batch(7)`.
[[nodiscard]] loader::Batch evaluation_batch();

/// `images` of noise with groups of `crops` of `size` pixels.
struct GroupShape {
  std::int32_t crops = 0;
  std::int32_t size = 0;
};

[[nodiscard]] loader::Batch noise_batch(
    std::int32_t images,
    const std::vector<GroupShape>& groups);

/// All files of the trainer's state, to the byte.
[[nodiscard]] std::map<std::string, ByteVector> state_files(Trainer& trainer);

/// Does a step that must succeed.
StepReport must_step(Trainer& trainer, int step, double learning_rate = 0.5);

}  // namespace swavd::trainer
