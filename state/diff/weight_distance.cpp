#include "state/diff/weight_distance.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "state/content/floats.h"
#include "state/content/snapshot_info.h"
#include "state/diff/tensor_stream.h"

namespace swavd::state {

namespace {

constexpr std::array kWeightFiles = {"model.safetensors", "head.safetensors"};
/// A multiple of all element sizes.
constexpr std::size_t kChunkBytes = 256U << 10U;

/// Adds one tensor, which both streams give next, to `sum`.
Status add_tensor(
    const TensorEntry& tensor,
    TensorStream& a,
    TensorStream& b,
    PartDistance& sum) {
  std::array<ByteVector, 2> chunks;
  bool changed = false;
  for (std::uint64_t done = 0; done < tensor.bytes; done += kChunkBytes) {
    const auto bytes = static_cast<std::size_t>(
        std::min<std::uint64_t>(kChunkBytes, tensor.bytes - done));
    chunks[0].resize(bytes);
    chunks[1].resize(bytes);
    SWAVD_RETURN_IF_ERROR(a.fill(chunks[0]));
    SWAVD_RETURN_IF_ERROR(b.fill(chunks[1]));
    changed = changed || chunks[0] != chunks[1];
    if (!is_float(tensor.dtype)) {
      continue;
    }
    const std::size_t count = bytes / size_of(tensor.dtype);
    for (std::size_t i = 0; i < count; ++i) {
      const double before = element(tensor.dtype, chunks[0].data(), i);
      const double change = element(tensor.dtype, chunks[1].data(), i) - before;
      sum.squares += before * before;
      sum.squares_of_change += change * change;
    }
    sum.elements += count;
  }
  ++sum.tensors;
  sum.changed += changed ? 1 : 0;
  return ok_status();
}

/// The name of a tensor that only one of the two has, or has otherwise.
std::optional<std::string> first_difference(
    const SafetensorsLayout& a,
    const SafetensorsLayout& b) {
  const std::size_t both = std::min(a.tensors.size(), b.tensors.size());
  for (std::size_t i = 0; i < both; ++i) {
    if (a.tensors[i] != b.tensors[i]) {
      return a.tensors[i].name;
    }
  }
  if (a.tensors.size() == b.tensors.size()) {
    return std::nullopt;
  }
  return (a.tensors.size() > both ? a : b).tensors[both].name;
}

Status add_file(
    SnapshotReader& a,
    SnapshotReader& b,
    std::string_view name,
    WeightDistance& sum) {
  const FileEntry* file_a = find_file(a.manifest(), name);
  const FileEntry* file_b = find_file(b.manifest(), name);
  if (file_a == nullptr && file_b == nullptr) {
    return ok_status();
  }
  if (file_a == nullptr || file_b == nullptr) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("only one of the two has {}", name)};
  }
  auto stream_a = TensorStream::open(a, *file_a);
  if (!stream_a.ok()) {
    return stream_a.error().with_context(a.id());
  }
  auto stream_b = TensorStream::open(b, *file_b);
  if (!stream_b.ok()) {
    return stream_b.error().with_context(b.id());
  }
  const SafetensorsLayout& layout = stream_a.value()->layout();
  if (const auto other = first_difference(layout, stream_b.value()->layout())) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("the two have other tensors in {}: {}", name, *other)};
  }
  for (const TensorEntry& tensor : layout.tensors) {
    PartDistance unweighted;
    SWAVD_RETURN_IF_ERROR(add_tensor(
        tensor,
        *stream_a.value(),
        *stream_b.value(),
        is_float(tensor.dtype) ? sum[part_of_model(tensor.name)] : unweighted));
  }
  SWAVD_RETURN_IF_ERROR(stream_a.value()->finish());
  return stream_b.value()->finish();
}

}  // namespace

namespace {

/// "stage<number + first>" when `rest` begins with a number, else "other".
std::string stage_part(std::string_view rest, unsigned first) {
  unsigned stage = 0;
  const auto parsed =
      std::from_chars(rest.data(), rest.data() + rest.size(), stage);
  return parsed.ec == std::errc() ? fmt::format("stage{}", stage + first)
                                  : "other";
}

}  // namespace

std::string part_of_model(std::string_view tensor) {
  for (const std::string_view prefix : {"regnet.", "resnet."}) {
    if (tensor.starts_with(prefix)) {
      tensor.remove_prefix(prefix.size());
    }
  }
  if (tensor.ends_with(".running_mean") || tensor.ends_with(".running_var")) {
    return "statistics";
  }
  // Hugging Face counts its stages from 0, timm from 1.
  for (const auto& [prefix, first] :
       {std::pair("encoder.stages.", 1U), std::pair("layer", 0U)}) {
    if (tensor.starts_with(prefix)) {
      return stage_part(tensor.substr(std::string_view(prefix).size()), first);
    }
  }
  for (const auto& [prefix, part] :
       {std::pair("embedder.", "stem"),
        std::pair("conv1.", "stem"),
        std::pair("bn1.", "stem"),
        std::pair("projection_head.", "head"),
        std::pair("prototypes.", "prototypes")}) {
    if (tensor.starts_with(prefix)) {
      return part;
    }
  }
  return "other";
}

double PartDistance::relative_l2() const {
  if (squares_of_change == 0) {
    return 0;
  }
  return std::sqrt(squares_of_change / squares);
}

Result<WeightDistance> weight_distance(SnapshotReader& a, SnapshotReader& b) {
  WeightDistance sum;
  for (const char* name : kWeightFiles) {
    SWAVD_RETURN_IF_ERROR(add_file(a, b, name, sum));
  }
  return sum;
}

}  // namespace swavd::state
