#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <ATen/core/Tensor.h>

#include "trainer/model/tensor_specs.h"

namespace swavd::trainer {

/// All tensors of a model in one fixed order, each under its snapshot name.
/// Layers hold handles to the same tensors; nobody ever replaces one, values
/// are copied in (a tensor's strides decide the last bits of a result).
class ParameterStore {
 public:
  struct Entry {
    TensorSpec spec;
    at::Tensor tensor;
  };

  /// Allocates the tensors on `device`; on the meta device they have shapes
  /// and no memory. Counters of a GPU's model stay with the host, which counts
  /// them up by itself. Four-dimensional tensors are laid out channels last,
  /// parameters require gradients. Values are undefined.
  explicit ParameterStore(
      std::vector<TensorSpec> specs,
      at::Device device = at::kCPU);

  /// Aborts when there is no such tensor.
  [[nodiscard]] const at::Tensor& at(const std::string& name) const;

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

  /// The tensors of one role, in order.
  [[nodiscard]] std::vector<at::Tensor> of_role(Role role) const;

  /// Draws initial values, see `initial_values`.
  void initialise(std::uint64_t seed);

 private:
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace swavd::trainer
