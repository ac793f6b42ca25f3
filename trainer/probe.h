#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ops/base/result.h"
#include "state/snapshot_store.h"
#include "trainer/classifier.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// Height and width to which a feature map is pooled before it is probed.
struct ProbeGrid {
  std::int64_t height = 1;
  std::int64_t width = 1;

  friend bool operator==(const ProbeGrid&, const ProbeGrid&) = default;
};

/// The grid for a map of this shape: about 10,000 features, but at least two
/// cells where the map has them. Rows come first: 3 cells are 3x1, as in the
/// probes of SEER's models.
[[nodiscard]] ProbeGrid
probe_grid(std::int64_t channels, std::int64_t height, std::int64_t width);

enum class ProbeSet {
  kLayers,  ///< BatchNorm and Linear on the last two stages and on the pooled
            ///< features, and Linear alone on those
  kPooled,  ///< Linear alone on the pooled features
};

struct ProbeOptions {
  std::int32_t classes = 2;       ///< at least 2
  std::int32_t image_size = 224;  ///< side of all crops, pixels
  std::uint64_t seed = 0;         ///< of the first weights, N(0, .01)
  ProbeSet set = ProbeSet::kLayers;
  SgdOptions sgd;
};

/// Linear probes on a frozen trunk in evaluation mode, several at once, which
/// do not influence each other.
class ProbeTrainer : public Classifier {
 public:
  /// What one remembered image takes.
  [[nodiscard]] virtual std::uint64_t bytes_per_image() const = 0;

  /// Keeps the features of a batch in memory, for `step_remembered`. Errors:
  /// as `step`; one image is enough.
  [[nodiscard]] virtual Status remember(
      const loader::Batch& batch,
      const std::vector<std::int32_t>& labels) = 0;

  /// Images remembered so far.
  [[nodiscard]] virtual std::int64_t remembered() const = 0;

  /// As `step`, on remembered images given by their numbers from 0.
  [[nodiscard]] virtual Result<double> step_remembered(
      const std::vector<std::int64_t>& images,
      const StepRates& rates) = 0;
};

/// Probes on a snapshot's published trunk. `model`: what the snapshot was made
/// with. Errors: kInvalidArgument (options; another model), kCorruption,
/// kExhausted; kUnavailable in a build without LibTorch.
[[nodiscard]] Result<std::unique_ptr<ProbeTrainer>> make_probe_trainer(
    const TrainerOptions& model,
    state::SnapshotReader& snapshot,
    const ProbeOptions& options);

}  // namespace swavd::trainer
