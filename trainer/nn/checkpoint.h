#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

#include "trainer/nn/batch_norm.h"

namespace swavd::trainer {

/// A part of a network: its output for an input. Draws nothing at random and
/// gives the same bits for kTrain and kRecompute.
using Segment = std::function<at::Tensor(const at::Tensor& x, Mode mode)>;

/// segment(x, kTrain) that keeps nothing but `x` for the backward pass, which
/// computes the rest anew: segment(x, kRecompute), in the precision of now. In
/// float32 gradients are the same bits. They are added to the leaves that the
/// segment holds as well as passed on to `x`. `segment` must stay usable until
/// the backward pass is over; without one to come it is just called.
[[nodiscard]] at::Tensor checkpointed(Segment segment, const at::Tensor& x);

}  // namespace swavd::trainer
