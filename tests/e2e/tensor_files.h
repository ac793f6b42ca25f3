#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ops/base/bytes.h"
#include "state/safetensors.h"

namespace swavd::e2e {

/// A safetensors file in memory, and views into it.
class TensorReader {
 public:
  /// A test failure when `path` is no such file; it is empty then.
  explicit TensorReader(const std::string& path);

  [[nodiscard]] const std::vector<state::TensorView>& tensors() const {
    return view_.tensors;
  }

  /// nullptr when absent.
  [[nodiscard]] const state::TensorView* find(const std::string& name) const {
    return view_.find(name);
  }

 private:
  ByteVector bytes_;
  state::SafetensorsView view_;
};

/// The numbers of a F32 or I64 tensor.
[[nodiscard]] std::vector<double> numbers_of(const state::TensorView& tensor);

/// One crop of a file for `replay-step`: [images, channels, height, width].
struct CropTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

void write_crops(const std::string& path, const std::vector<CropTensor>& crops);

}  // namespace swavd::e2e
