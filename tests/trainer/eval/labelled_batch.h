#pragma once

#include <cstdint>
#include <vector>

#include "dedup_free_loader/batch.h"

namespace swavd::trainer {

/// Images of 32 pixels and their classes.
struct LabelledBatch {
  loader::Batch batch;
  std::vector<std::int32_t> labels;
};

/// Images of class c are bright in colour c, with noise; 3 classes by turns.
[[nodiscard]] LabelledBatch coloured_batch(
    std::int32_t images,
    std::uint64_t seed);

/// The same with labels that say nothing of the images.
[[nodiscard]] LabelledBatch mislabelled_batch(
    std::int32_t images,
    std::uint64_t seed);

}  // namespace swavd::trainer
