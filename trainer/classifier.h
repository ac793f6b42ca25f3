#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dedup_free_loader/batch.h"
#include "ops/base/result.h"

namespace swavd::trainer {

/// Stochastic gradient descent, as PyTorch's.
struct SgdOptions {
  double momentum = 0.9;
  double weight_decay = 0;  ///< L2
  bool nesterov = false;
  bool decay_norms = true;   ///< weights and biases of a BatchNorm too
  bool decay_biases = true;  ///< the other biases too
};

/// Learning rates of one step.
struct StepRates {
  double trunk = 0;  ///< nothing where the trunk is frozen
  double head = 0;
};

/// One classifier that is measured.
struct HeadInfo {
  std::string name;           ///< "res4", "res5", "res5avg", …
  std::int64_t features = 0;  ///< inputs of its linear layer
};

/// Classes of the images of a batch, one row a head: [heads][images].
using Predictions = std::vector<std::vector<std::int32_t>>;

/// Learns the classes of labelled images with one or several heads. The same
/// seed, batches and number of threads give the same result. Not thread-safe:
/// one thread drives it.
class Classifier {
 public:
  Classifier() = default;
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;
  virtual ~Classifier() = default;

  /// Memory for the loader's crops.
  [[nodiscard]] virtual loader::BufferAllocator allocator() = 0;

  [[nodiscard]] virtual const std::vector<HeadInfo>& heads() const = 0;

  /// One update on the batch's first crop group. `labels`: [images], class
  /// numbers from 0. Gives the cross-entropy before the update, nats, the mean
  /// over images and heads. Errors: kInvalidArgument: fewer than two images, a
  /// label out of range, a loss that is not finite (the rate is too high);
  /// kExhausted.
  [[nodiscard]] virtual Result<double> step(
      const loader::Batch& batch,
      const std::vector<std::int32_t>& labels,
      const StepRates& rates) = 0;

  /// The likeliest class of each image of the batch's first crop group.
  /// Errors: kInvalidArgument (no crops), kExhausted.
  [[nodiscard]] virtual Result<Predictions> predict(
      const loader::Batch& batch) = 0;
};

}  // namespace swavd::trainer
