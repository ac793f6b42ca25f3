#include "state/weight_files.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "ops/base/files.h"
#include "ops/base/sha256.h"
#include "state/content/floats.h"
#include "state/directory/file_writer.h"
#include "state/weights/model_folder.h"

namespace swavd::state {

namespace {

namespace fs = std::filesystem;

Error unfit(const fs::path& path, std::string_view what) {
  return {
      ErrorCode::kInvalidArgument, fmt::format("{}: {}", path.string(), what)};
}

/// Exactly so many bytes at `offset`. Errors: kIo, kCorruption.
Status read_exactly(
    const fs::path& path,
    std::uint64_t offset,
    std::span<std::uint8_t> into) {
  std::size_t done = 0;
  SWAVD_RETURN_IF_ERROR(stream_file(
      path,
      [&](Bytes piece) {
        std::copy(
            piece.begin(),
            piece.end(),
            into.begin() + static_cast<std::ptrdiff_t>(done));
        done += piece.size();
        return ok_status();
      },
      {offset, into.size()}));
  if (done != into.size()) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format("{} ends too early", path.string())};
  }
  return ok_status();
}

Result<SafetensorsLayout> read_header(
    const fs::path& path,
    std::uint64_t file_bytes,
    std::uint64_t& data_begin) {
  std::array<std::uint8_t, kSafetensorsLengthBytes> first{};
  const std::size_t front = static_cast<std::size_t>(
      std::min<std::uint64_t>(first.size(), file_bytes));
  SWAVD_RETURN_IF_ERROR(read_exactly(path, 0, std::span(first).first(front)));
  const auto length =
      safetensors_json_bytes(Bytes(first).first(front), file_bytes);
  if (!length.ok()) {
    return length.error();
  }
  ByteVector json(length.value());
  SWAVD_RETURN_IF_ERROR(read_exactly(path, first.size(), json));
  data_begin = first.size() + json.size();
  return parse_safetensors_header(as_text(json), file_bytes - data_begin);
}

}  // namespace

bool is_pickle_name(const fs::path& path) {
  constexpr std::array<std::string_view, 7> kPickles = {
      ".torch", ".bin", ".pth", ".pt", ".ckpt", ".pkl", ".tar"};
  const std::string extension = path.extension().string();
  return std::find(kPickles.begin(), kPickles.end(), extension) !=
         kPickles.end();
}

Result<WeightFiles> WeightFiles::open(const fs::path& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::none) {
    return errno_error(error.value(), "open", path);
  }
  if (!fs::exists(status)) {
    return Error{
        ErrorCode::kNotFound,
        fmt::format("{}: there is no such file or folder", path.string())};
  }
  WeightFiles model;
  model.path_ = path;
  if (!fs::is_directory(status)) {
    if (is_pickle_name(path)) {
      return unfit(path, kConvertPickle);
    }
    SWAVD_RETURN_IF_ERROR(model.add(path));
    return model;
  }
  const auto names = files_of_model(path);
  if (!names.ok()) {
    return names.error();
  }
  for (const std::string& name : names.value()) {
    SWAVD_RETURN_IF_ERROR(model.add(path / name));
  }
  SWAVD_RETURN_IF_ERROR(model.check_names());
  return model;
}

Status WeightFiles::add(const fs::path& file) {
  std::error_code error;
  const std::uint64_t bytes = fs::file_size(file, error);
  if (error) {
    return errno_error(error.value(), "open", file);
  }
  std::uint64_t data_begin = 0;
  auto layout = read_header(file, bytes, data_begin);
  if (!layout.ok()) {
    return layout.error().with_context(file.string());
  }
  for (TensorEntry& entry : layout.value().tensors) {
    entry.offset += data_begin;
    tensors_.push_back({std::move(entry), files_.size()});
  }
  files_.push_back({file, bytes});
  return ok_status();
}

Status WeightFiles::check_names() const {
  std::set<std::string_view> seen;
  for (const ForeignTensor& tensor : tensors_) {
    if (!seen.insert(tensor.entry.name).second) {
      return Error{
          ErrorCode::kCorruption,
          fmt::format(
              "{}: tensor {} is in two files",
              path_.string(),
              tensor.entry.name)};
    }
  }
  return ok_status();
}

Result<std::vector<std::string>> WeightFiles::digests() const {
  std::vector<std::string> digests;
  for (const WeightFile& file : files_) {
    Sha256 hash;
    std::uint64_t bytes = 0;
    SWAVD_RETURN_IF_ERROR(stream_file(file.path, [&](Bytes piece) {
      hash.update(piece);
      bytes += piece.size();
      return ok_status();
    }));
    if (bytes != file.bytes) {
      return Error{
          ErrorCode::kCorruption,
          fmt::format("{} changes while it is read", file.path.string())};
    }
    digests.push_back(to_hex(hash.finish()));
  }
  return digests;
}

Status WeightFiles::read(
    const ForeignTensor& tensor,
    std::span<std::uint8_t> into) const {
  return read_exactly(files_[tensor.file].path, tensor.entry.offset, into);
}

Status WeightFiles::read_floats(
    const ForeignTensor& tensor,
    std::span<float> into) const {
  const TensorEntry& entry = tensor.entry;
  if (!is_float(entry.dtype)) {
    return unfit(
        files_[tensor.file].path,
        fmt::format("tensor {} holds integers", entry.name));
  }
  SWAVD_CHECK(into.size() * size_of(entry.dtype) == entry.bytes);
  if (entry.dtype == DType::kF32) {
    // Not by way of arithmetic: every bit stays, those of a NaN, too.
    return read(
        tensor,
        {reinterpret_cast<std::uint8_t*>(into.data()), into.size_bytes()});
  }
  ByteVector bytes(entry.bytes);
  SWAVD_RETURN_IF_ERROR(read(tensor, bytes));
  for (std::size_t i = 0; i < into.size(); ++i) {
    into[i] = static_cast<float>(element(entry.dtype, bytes.data(), i));
  }
  return ok_status();
}

Result<std::int64_t> WeightFiles::read_integer(
    const ForeignTensor& tensor) const {
  if (tensor.entry.dtype != DType::kI64 || !tensor.entry.shape.empty()) {
    return unfit(
        files_[tensor.file].path,
        fmt::format("tensor {} is no I64 scalar", tensor.entry.name));
  }
  std::array<std::uint8_t, sizeof(std::int64_t)> bytes{};
  SWAVD_RETURN_IF_ERROR(read(tensor, bytes));
  std::int64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

}  // namespace swavd::state
