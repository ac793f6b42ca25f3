#pragma once

#include <cstdint>
#include <memory>

#include "ops/base/result.h"
#include "state/snapshot_store.h"
#include "trainer/classifier.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// What stands between the trunk and the classes.
enum class FineTuneHead {
  kPooled,      ///< one linear layer
  kProjection,  ///< the snapshot's first projection layer with BatchNorm (new
                ///< where the snapshot has none) and ReLU, then a linear layer
};

struct FineTuneOptions {
  std::int32_t classes = 2;  ///< at least 2
  std::uint64_t seed = 0;    ///< of the linear layer's first weights, N(0, .01)
  FineTuneHead head = FineTuneHead::kPooled;
  SgdOptions sgd;
};

/// A snapshot's whole network, to be trained on labels; BatchNorm uses and
/// updates its statistics as in training. It has one head, "classifier".
/// `model`: what the snapshot was made with. Errors: kInvalidArgument
/// (options; a head without hidden layer for `kProjection`; another model),
/// kNotFound (`kProjection` and the snapshot comes without its head),
/// kCorruption, kExhausted; kUnavailable in a build without LibTorch.
[[nodiscard]] Result<std::unique_ptr<Classifier>> make_fine_tuner(
    const TrainerOptions& model,
    state::SnapshotReader& snapshot,
    const FineTuneOptions& options);

}  // namespace swavd::trainer
