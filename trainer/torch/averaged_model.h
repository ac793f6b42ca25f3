#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/model/trunk_design.h"
#include "trainer/options.h"
#include "trainer/torch/swav_model.h"

namespace swavd::trainer {

/// The decay of the average at the `step`-th step, counted from 1:
/// min(decay, (1 + step) / (10 + step)). Early on it is small, so that the
/// first weights, drawn at random, are soon forgotten.
[[nodiscard]] double ema_decay(double decay, std::uint64_t step);

/// The twin of a model: its parameters and BatchNorm statistics are the moving
/// averages of the model's, on the same device. Batch counters have no average;
/// the twin's are never looked at.
///
/// A prototype's average is that of unit vectors, so it is shorter than one,
/// the more the prototype has turned: normalise the rows before use.
class AveragedModel {
 public:
  /// `live` outlives the twin and is made of `design` and `head`. Call
  /// `start_over` once it has its values. `decay` is in (0, 1).
  AveragedModel(
      const SwavModel& live,
      const TrunkDesign& design,
      const HeadOptions& head,
      double decay);

  /// Takes the live values for the average.
  void start_over();

  /// average += (1 - ema_decay(decay, step)) * (live - average), after the
  /// `step`-th step. As the step alone says how, a resumed average goes on
  /// exactly. An exception ends the process: half an update must not live on.
  void update(std::uint64_t step) noexcept;

  [[nodiscard]] const SwavModel& model() const { return model_; }

 private:
  SwavModel model_;
  double decay_;
  std::vector<at::Tensor> live_;
  std::vector<at::Tensor> averages_;  ///< of `model_`, in the order of `live_`
};

}  // namespace swavd::trainer
