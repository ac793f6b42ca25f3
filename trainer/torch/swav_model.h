#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/model/trunk_design.h"
#include "trainer/nn/parameter_store.h"
#include "trainer/nn/swav_head.h"
#include "trainer/nn/trunk.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// Trunk, head and prototypes over one store of tensors.
struct SwavModel {
  ParameterStore store;
  Trunk trunk;
  SwavHead head;
  std::vector<at::Tensor> prototypes;  ///< of each set, [K, out]

  SwavModel(
      const TrunkDesign& design,
      const HeadOptions& options,
      at::Device device = at::kCPU);

  struct Output {
    at::Tensor embeddings;  ///< [crops * images, out], rows of length one
    /// Of each set, [crops * images, K], float32.
    std::vector<at::Tensor> scores;
  };

  /// Training-mode forward: the trunk once a pass, each with its own batch
  /// statistics; the head once over all rows, crop-major.
  [[nodiscard]] Output forward(
      const std::vector<at::Tensor>& passes,
      Precision precision) const;

  /// Makes every prototype a vector of length one.
  void normalise_prototypes();

  /// Counts `trunk_passes` batches seen by each BatchNorm of the trunk and one
  /// by each of the head.
  void count_batches(std::int64_t trunk_passes);
};

/// Takes back what a training step does before it is known to be good: the
/// BatchNorm statistics and the prototypes' lengths, unless `keep` is called.
class StepRollback {
 public:
  explicit StepRollback(const SwavModel& model);
  StepRollback(const StepRollback&) = delete;
  StepRollback& operator=(const StepRollback&) = delete;
  ~StepRollback();

  void keep() { kept_ = true; }

 private:
  std::vector<at::Tensor> live_;
  std::vector<at::Tensor> saved_;
  bool kept_ = false;
};

}  // namespace swavd::trainer
