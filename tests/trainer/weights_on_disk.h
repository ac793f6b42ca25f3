#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "ops/base/check.h"
#include "ops/base/files.h"
#include "state/safetensors.h"
#include "state/weight_files.h"
#include "trainer/model/tensor_specs.h"
#include "trainer/model/trunk_design.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// A tensor of somebody's file.
struct StoredTensor {
  std::string name;
  state::DType dtype = state::DType::kF32;
  std::vector<std::int64_t> shape;
  ByteVector data;
};

/// The model's tensors by their names in a snapshot, with values of their own.
inline std::vector<StoredTensor> model_tensors(const TrainerOptions& options) {
  const TrunkDesign design = design_trunk(options.trunk).value();
  std::vector<TensorSpec> specs = trunk_specs(design);
  for (const TensorSpec& spec : head_specs(design.features(), options.head)) {
    specs.push_back(spec);
  }
  std::vector<StoredTensor> tensors;
  std::int64_t next = 1;
  for (const TensorSpec& spec : specs) {
    const bool counter = spec.role == Role::kCounter;
    StoredTensor tensor{
        spec.name,
        counter ? state::DType::kI64 : state::DType::kF32,
        spec.shape,
        ByteVector(
            static_cast<std::size_t>(element_count(spec)) * (counter ? 8 : 4))};
    if (counter) {
      std::memcpy(tensor.data.data(), &++next, sizeof(next));
    } else {
      auto* values = reinterpret_cast<float*>(tensor.data.data());
      for (std::int64_t i = 0; i < element_count(spec); ++i) {
        values[i] = static_cast<float>(++next) / 1024.0F;
      }
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

/// Writes the tensors into a file and opens it.
inline state::WeightFiles write_weights(
    const std::string& path,
    const std::vector<StoredTensor>& tensors) {
  state::TensorFile file{"model.safetensors", {}, {}};
  for (const StoredTensor& tensor : tensors) {
    file.tensors.push_back(
        {tensor.name, tensor.dtype, tensor.shape, tensor.data});
  }
  ByteVector content;
  const Status gathered = state::write_safetensors(file, [&](Bytes piece) {
    content.insert(content.end(), piece.begin(), piece.end());
    return ok_status();
  });
  SWAVD_CHECK(gathered.ok());
  SWAVD_CHECK(write_file_durably(path, content).ok());
  return state::WeightFiles::open(path).value();
}

}  // namespace swavd::trainer
