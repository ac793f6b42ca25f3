#include "trainer/nn/parameter_store.h"

#include <span>

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>

#include "ops/base/check.h"
#include "trainer/model/initial_values.h"

namespace swavd::trainer {

namespace {

at::Tensor allocate_tensor(const TensorSpec& spec, at::Device device) {
  const bool counter = spec.role == Role::kCounter;
  const auto dtype = counter ? at::kLong : at::kFloat;
  const auto layout = spec.shape.size() == 4 ? at::MemoryFormat::ChannelsLast
                                             : at::MemoryFormat::Contiguous;
  const at::Device place = counter && device.is_cuda() ? at::kCPU : device;
  at::Tensor tensor =
      at::empty(spec.shape, at::dtype(dtype).device(place), layout);
  tensor.requires_grad_(spec.role == Role::kParameter);
  return tensor;
}

void fill_initial(const ParameterStore::Entry& entry, std::uint64_t seed) {
  if (entry.spec.role == Role::kCounter) {
    entry.tensor.zero_();
    return;
  }
  constexpr std::int64_t kGrain = 4096;  // elements a thread takes at a time
  const std::int64_t count = element_count(entry.spec);
  std::vector<float> values(static_cast<std::size_t>(count));
  at::parallel_for(0, count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    initial_values(
        entry.spec,
        seed,
        begin,
        std::span(values).subspan(
            static_cast<std::size_t>(begin),
            static_cast<std::size_t>(end - begin)));
  });
  entry.tensor.copy_(at::from_blob(values.data(), entry.spec.shape));
}

}  // namespace

ParameterStore::ParameterStore(
    std::vector<TensorSpec> specs,
    at::Device device) {
  entries_.reserve(specs.size());
  for (TensorSpec& spec : specs) {
    const bool is_new = index_.emplace(spec.name, entries_.size()).second;
    SWAVD_CHECK(is_new);
    at::Tensor tensor = allocate_tensor(spec, device);
    entries_.push_back({std::move(spec), std::move(tensor)});
  }
}

const at::Tensor& ParameterStore::at(const std::string& name) const {
  const auto found = index_.find(name);
  SWAVD_CHECK(found != index_.end());
  return entries_[found->second].tensor;
}

std::vector<at::Tensor> ParameterStore::of_role(Role role) const {
  std::vector<at::Tensor> tensors;
  for (const Entry& entry : entries_) {
    if (entry.spec.role == role) {
      tensors.push_back(entry.tensor);
    }
  }
  return tensors;
}

void ParameterStore::initialise(std::uint64_t seed) {
  const at::NoGradGuard no_grad;
  for (const Entry& entry : entries_) {
    fill_initial(entry, seed);
  }
}

}  // namespace swavd::trainer
