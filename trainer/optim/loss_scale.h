#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/options.h"

namespace swavd::trainer {

/// Keeps the small gradients of a float16 step from vanishing: the loss is
/// multiplied by a number before the backward pass, the gradients are divided
/// by it behind. It begins as 65536, doubles after 2000 good steps in a row and
/// is halved when the gradients overflow: torch.amp.GradScaler's defaults. In
/// another precision it is 1 for good.
class LossScale {
 public:
  explicit LossScale(Precision precision);

  /// Whether it ever differs from 1.
  [[nodiscard]] bool active() const { return scale_.defined(); }

  [[nodiscard]] double value() const;

  /// The loss that the backward pass begins at.
  [[nodiscard]] at::Tensor scaled(const at::Tensor& loss) const;

  /// Divides the gradients of `parameters` in place; those of a power of two
  /// stay the same to the bit.
  void unscale(const std::vector<at::Tensor>& parameters) const;

  /// Counts a step whose gradients were finite.
  void grow();

  /// Halves the scale after an overflow and counts good steps anew. False,
  /// and nothing changes, once the scale is 1: it is not to blame then.
  [[nodiscard]] bool back_off();

  /// What a snapshot holds, on the CPU; undefined unless active. Copying
  /// another's values into them continues it.
  [[nodiscard]] const at::Tensor& scale() const { return scale_; }  ///< float32

  [[nodiscard]] const at::Tensor& good_steps() const { return good_steps_; }

  /// A scale and its count, to go back to.
  struct State {
    float scale = 1;
    std::int64_t good_steps = 0;
  };

  [[nodiscard]] State state() const;
  void set_state(const State& state);

 private:
  at::Tensor scale_;
  at::Tensor good_steps_;
};

}  // namespace swavd::trainer
