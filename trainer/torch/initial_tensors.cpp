#include "trainer/torch/initial_tensors.h"

#include <cstddef>
#include <cstdint>

#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

namespace swavd::trainer {

namespace {

/// A tensor's values in C order, whatever the strides of the live one.
Result<at::Tensor> read_values(
    const SnapshotTensor& wanted,
    const InitialWeights& weights) {
  const at::Tensor values =
      at::empty(wanted.tensor.sizes(), wanted.tensor.scalar_type());
  if (wanted.tensor.scalar_type() == at::kLong) {
    const auto counter = weights.read_counter(wanted.name);
    if (!counter.ok()) {
      return counter.error();
    }
    *values.mutable_data_ptr<std::int64_t>() = counter.value();
    return values;
  }
  SWAVD_RETURN_IF_ERROR(weights.read(
      wanted.name,
      {values.mutable_data_ptr<float>(),
       static_cast<std::size_t>(values.numel())}));
  return values;
}

}  // namespace

Status copy_initial_tensors(
    const std::vector<SnapshotTensor>& tensors,
    const InitialWeights& weights) {
  const at::NoGradGuard no_grad;
  for (const SnapshotTensor& wanted : tensors) {
    if (!weights.has(wanted.name)) {
      continue;
    }
    const Result<at::Tensor> values = read_values(wanted, weights);
    if (!values.ok()) {
      return values.error();
    }
    wanted.tensor.copy_(values.value());
  }
  return ok_status();
}

}  // namespace swavd::trainer
