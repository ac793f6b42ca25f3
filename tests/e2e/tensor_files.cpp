#include "tests/e2e/tensor_files.h"

#include <cstring>

#include <gtest/gtest.h>

#include "ops/base/files.h"

namespace swavd::e2e {

TensorReader::TensorReader(const std::string& path) {
  auto bytes = read_file(path);
  if (!bytes.ok()) {
    ADD_FAILURE() << bytes.error().message;
    return;
  }
  bytes_ = std::move(bytes).value();
  auto view = state::parse_safetensors(bytes_);
  if (!view.ok()) {
    ADD_FAILURE() << path << ": " << view.error().message;
    return;
  }
  view_ = std::move(view).value();
}

std::vector<double> numbers_of(const state::TensorView& tensor) {
  const std::size_t size = state::size_of(tensor.dtype);
  std::vector<double> numbers(tensor.data.size() / size);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::uint8_t* at = tensor.data.data() + i * size;
    if (tensor.dtype == state::DType::kI64) {
      numbers[i] = static_cast<double>(load_u64_le(at));
    } else {
      EXPECT_EQ(tensor.dtype, state::DType::kF32) << tensor.name;
      float value = 0;
      std::memcpy(&value, at, sizeof value);
      numbers[i] = value;
    }
  }
  return numbers;
}

void write_crops(
    const std::string& path,
    const std::vector<CropTensor>& crops) {
  state::TensorFile file;
  for (const CropTensor& crop : crops) {
    file.tensors.push_back(
        {crop.name,
         state::DType::kF32,
         crop.shape,
         Bytes(
             reinterpret_cast<const std::uint8_t*>(crop.values.data()),
             crop.values.size() * sizeof(float))});
  }
  ByteVector content;
  const Status written = state::write_safetensors(file, [&](Bytes piece) {
    content.insert(content.end(), piece.begin(), piece.end());
    return ok_status();
  });
  EXPECT_TRUE(written.ok());
  const Status stored = write_file_durably(path, content);
  EXPECT_TRUE(stored.ok()) << path;
}

}  // namespace swavd::e2e
