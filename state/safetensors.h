#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/bytes.h"
#include "ops/base/result.h"
#include "state/frozen_state.h"

namespace swavd::state {

/// The header of a safetensors file for these tensors: 8 bytes of length,
/// JSON, padded with spaces to a multiple of 8. The tensors' bytes follow it
/// back to back, those of wider elements first, else in the given order, so
/// that each begins at a multiple of its element size (Python's loaders view
/// the file in place and refuse any other start). Names are unique, and each
/// tensor's data is as long as its shape says: anything else is a bug.
[[nodiscard]] std::string safetensors_header(const TensorFile& file);

/// Length of the whole file in bytes.
[[nodiscard]] std::uint64_t safetensors_bytes(const TensorFile& file);

/// Calls `sink` with the file's bytes, piece by piece.
[[nodiscard]] Status write_safetensors(
    const TensorFile& file,
    const std::function<Status(Bytes)>& sink);

/// Where a tensor lies in a file.
struct TensorEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::uint64_t offset = 0;  ///< from the end of the header
  std::uint64_t bytes = 0;

  bool operator==(const TensorEntry&) const = default;
};

/// What a header says.
struct SafetensorsLayout {
  std::vector<TensorEntry> tensors;  ///< in the order of their bytes
  std::map<std::string, std::string> metadata;
};

/// The header of a file whose tensors lie where `layout` says: in that order,
/// back to back from 0 on.
[[nodiscard]] std::string safetensors_header(const SafetensorsLayout& layout);

/// Bytes of the length that a file begins with.
inline constexpr std::size_t kSafetensorsLengthBytes = 8;

/// The length of the JSON that follows. `first`: the first
/// `kSafetensorsLengthBytes`; `file_bytes`: of the whole file. Errors:
/// kCorruption.
[[nodiscard]] Result<std::uint64_t> safetensors_json_bytes(
    Bytes first,
    std::uint64_t file_bytes);

/// Parses the JSON of a file with `data_bytes` behind it, checking as
/// `parse_safetensors` does. Errors: kCorruption naming the tensor.
[[nodiscard]] Result<SafetensorsLayout> parse_safetensors_header(
    std::string_view json,
    std::uint64_t data_bytes);

/// A parsed file: views into `bytes`, which must outlive it.
struct SafetensorsView {
  std::vector<TensorView> tensors;  ///< in the order of their bytes
  std::map<std::string, std::string> metadata;

  /// nullptr when absent.
  [[nodiscard]] const TensorView* find(const std::string& name) const;
};

/// Checks everything before trusting it: header length, JSON, dtypes, shapes
/// against offsets, no holes, no overlaps, nothing past the end.
/// Errors: kCorruption naming the tensor.
[[nodiscard]] Result<SafetensorsView> parse_safetensors(Bytes bytes);

}  // namespace swavd::state
