#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/result.h"
#include "state/frozen_state.h"
#include "state/safetensors.h"

namespace swavd::state {

/// A tensor in one of a model's files.
struct ForeignTensor {
  TensorEntry entry;     ///< its offset counts from the beginning of the file
  std::size_t file = 0;  ///< which of `WeightFiles::files`
};

/// One of a model's files.
struct WeightFile {
  std::filesystem::path path;
  std::uint64_t bytes = 0;
};

/// A model that any program has written as safetensors. Only headers are held
/// in memory. Immutable; reads from several threads do not meet.
class WeightFiles {
 public:
  /// Reads the headers of a .safetensors file, or of a folder:
  /// "model.safetensors", or all files that "model.safetensors.index.json"
  /// names, or its only .safetensors file; and "head.safetensors" beside it.
  /// Pickle (.bin, .pth, .torch, …) is never opened. Errors: kNotFound;
  /// kInvalidArgument saying how to convert what is there; kCorruption; kIo.
  [[nodiscard]] static Result<WeightFiles> open(
      const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] const std::vector<WeightFile>& files() const { return files_; }

  /// File by file; no name is there twice.
  [[nodiscard]] const std::vector<ForeignTensor>& tensors() const {
    return tensors_;
  }

  /// Reads every file and gives the SHA-256 of each. Errors: kIo, kCorruption
  /// (one has another length by now).
  [[nodiscard]] Result<std::vector<std::string>> digests() const;

  /// The tensor's elements as float32: F16 and BF16 exactly, F64 rounded to
  /// the nearest. `into` is as long as its shape says. Errors: kIo,
  /// kCorruption (the file is shorter by now); kInvalidArgument, integers.
  [[nodiscard]] Status read_floats(
      const ForeignTensor& tensor,
      std::span<float> into) const;

  /// A scalar of type I64. Errors: as `read_floats`, for anything else.
  [[nodiscard]] Result<std::int64_t> read_integer(
      const ForeignTensor& tensor) const;

 private:
  [[nodiscard]] Status add(const std::filesystem::path& file);
  [[nodiscard]] Status check_names() const;
  [[nodiscard]] Status read(
      const ForeignTensor& tensor,
      std::span<std::uint8_t> into) const;

  std::filesystem::path path_;
  std::vector<WeightFile> files_;
  std::vector<ForeignTensor> tensors_;
};

/// True for the name of a file in one of PyTorch's pickle formats.
[[nodiscard]] bool is_pickle_name(const std::filesystem::path& path);

/// How to turn a pickle into what `WeightFiles` reads; one sentence.
inline constexpr std::string_view kConvertPickle =
    "a pickle runs code when it is opened, so none is; convert it once with "
    "the "
    "lines in ops/docs/weights.md";

}  // namespace swavd::state
