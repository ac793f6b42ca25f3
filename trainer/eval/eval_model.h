#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "dedup_free_loader/batch.h"
#include "ops/base/result.h"
#include "state/snapshot_store.h"
#include "trainer/options.h"
#include "trainer/torch/swav_model.h"
#include "trainer/torch/trainer_device.h"

namespace swavd::trainer {

/// Which files of a snapshot are restored; the rest has its first values.
enum class EvalParts { kTrunk, kTrunkAndHead };

/// A snapshot's network as evaluation uses it: no momenta, no queue. It lies on
/// the device of its options, as do the tensors it takes and gives.
class EvalModel {
 public:
  /// Errors: those of `make_probe_trainer`.
  [[nodiscard]] static Result<std::unique_ptr<EvalModel>> load(
      const TrainerOptions& options,
      state::SnapshotReader& snapshot,
      EvalParts parts);

  /// Pooled features [N, features], float32.
  [[nodiscard]] at::Tensor features(const at::Tensor& images, Mode mode) const;

  /// Feature maps [N, C, H, W] at the end of the last two stages (fewer where
  /// the trunk has fewer), float32, without gradient, in evaluation mode.
  [[nodiscard]] std::vector<at::Tensor> last_maps(
      const at::Tensor& images) const;

  [[nodiscard]] SwavModel& model() { return model_; }

  [[nodiscard]] TrainerDevice& device() { return device_; }

  [[nodiscard]] at::Device place() const { return device_.place(); }

  [[nodiscard]] const TrainerOptions& options() const { return options_; }

  /// Makes the calling thread use the device and as many threads as the options
  /// say.
  void use_threads() const;

 private:
  EvalModel(
      const TrainerOptions& options,
      const TrunkDesign& design,
      std::shared_ptr<const DeviceLink> link);

  TrainerOptions options_;
  TrainerDevice device_;
  SwavModel model_;
};

/// Checks that there is one crop of each image. Errors: kInvalidArgument (no
/// crops, several crops).
[[nodiscard]] Status check_labelled_images(const loader::Batch& batch);

/// Class numbers as [images] int64, on the CPU. Errors: kInvalidArgument (not
/// one an image, out of range).
[[nodiscard]] Result<at::Tensor> label_tensor(
    const std::vector<std::int32_t>& labels,
    std::int64_t images,
    std::int32_t classes);

/// The row-wise best of logits.
[[nodiscard]] std::vector<std::int32_t> best_classes(const at::Tensor& logits);

/// The value of a loss, or kInvalidArgument when it is not finite.
[[nodiscard]] Result<double> finite_loss(const at::Tensor& loss);

}  // namespace swavd::trainer
