#include "trainer/swav/swav_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include "ops/base/check.h"

namespace swavd::trainer {

namespace {

/// Scores are divided by small temperatures before they are exponents, which
/// half-width types cannot hold.
at::Tensor at_least_float32(const at::Tensor& scores) {
  return scores.scalar_type() == at::kDouble ? scores : scores.to(at::kFloat);
}

/// The likeliest prototype of each row alone; a row without a code has none.
at::Tensor hardened(const at::Tensor& codes) {
  const at::Tensor likeliest = codes.argmax(1, /*keepdim=*/true);
  const at::Tensor mass =
      codes.gather(1, likeliest).ne(0).to(codes.scalar_type());
  return at::zeros_like(codes).scatter_(1, likeliest, mass);
}

/// The codes [images, K] of one crop's images, found together with those of
/// the queue.
at::Tensor codes_of(
    const at::Tensor& scores,
    const at::Tensor& queued,
    const SwavLossOptions& options) {
  const at::Tensor rows = queued.defined() ? at::cat({scores, queued}) : scores;
  const at::Tensor codes =
      sinkhorn(rows, options.sinkhorn).narrow(0, 0, scores.size(0));
  return options.hard_codes ? hardened(codes) : codes;
}

/// What each crop has to predict: [crops, images, K], the sum of the codes of
/// all other assigning crops.
at::Tensor swapped_targets(
    const at::Tensor& scores,
    const at::Tensor& queued,
    const SwavLossOptions& options) {
  const at::NoGradGuard no_grad;
  at::Tensor targets = at::zeros_like(scores);
  for (std::int64_t crop = 0; crop < options.assign_crops; ++crop) {
    const at::Tensor codes = codes_of(
        scores[crop], queued.defined() ? queued[crop] : queued, options);
    targets.add_(codes);
    targets[crop].sub_(codes);
  }
  return targets;
}

at::Tensor loss_of_set(
    const SetScores& set,
    std::int64_t images,
    const SwavLossOptions& options) {
  const std::int64_t crops = set.batch.size(0) / images;
  SWAVD_CHECK(crops * images == set.batch.size(0));
  SWAVD_CHECK(crops > 1 && options.assign_crops <= crops);
  const at::Tensor by_crop =
      at_least_float32(set.batch).view({crops, images, set.batch.size(1)});
  const at::Tensor queued =
      set.queued.defined() ? at_least_float32(set.queued) : set.queued;
  const at::Tensor targets = swapped_targets(by_crop.detach(), queued, options);
  const at::Tensor predictions =
      at::log_softmax(by_crop / options.temperature, 2);
  // The mean over images, over pairs of an assigning and another crop.
  const auto terms =
      static_cast<double>(images * options.assign_crops * (crops - 1));
  return (predictions * targets).sum() / -terms;
}

}  // namespace

at::Tensor swav_loss(
    std::span<const SetScores> sets,
    std::int64_t images,
    const SwavLossOptions& options) {
  SWAVD_CHECK(!sets.empty());
  at::Tensor sum = loss_of_set(sets[0], images, options);
  for (const SetScores& set : sets.subspan(1)) {
    sum = sum + loss_of_set(set, images, options);
  }
  return sets.size() == 1 ? sum : sum / static_cast<double>(sets.size());
}

}  // namespace swavd::trainer
