#include "trainer/swav/swav_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include "ops/base/check.h"

namespace swavd::trainer {

namespace {

/// What each crop has to predict: [crops, images, K], the sum of the codes of
/// all other assigning crops.
at::Tensor swapped_targets(
    const at::Tensor& scores,
    const SwavLossOptions& options) {
  const at::NoGradGuard no_grad;
  at::Tensor targets = at::zeros_like(scores);
  for (std::int64_t crop = 0; crop < options.assign_crops; ++crop) {
    const at::Tensor codes = sinkhorn(scores[crop], options.sinkhorn);
    targets.add_(codes);
    targets[crop].sub_(codes);
  }
  return targets;
}

}  // namespace

at::Tensor swav_loss(
    const at::Tensor& scores,
    std::int64_t images,
    const SwavLossOptions& options) {
  const std::int64_t crops = scores.size(0) / images;
  SWAVD_CHECK(crops * images == scores.size(0));
  SWAVD_CHECK(crops > 1 && options.assign_crops <= crops);
  const at::Tensor by_crop = scores.view({crops, images, scores.size(1)});
  const at::Tensor targets = swapped_targets(by_crop.detach(), options);
  const at::Tensor predictions =
      at::log_softmax(by_crop / options.temperature, 2);
  // The mean over images, over pairs of an assigning and another crop.
  const auto terms =
      static_cast<double>(images * options.assign_crops * (crops - 1));
  return (predictions * targets).sum() / -terms;
}

}  // namespace swavd::trainer
