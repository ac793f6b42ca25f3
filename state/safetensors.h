#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
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
