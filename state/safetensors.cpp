#include "state/safetensors.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ops/base/check.h"
#include "state/content/strict_json.h"

namespace swavd::state {

namespace {

constexpr std::size_t kAlignment = 8;
/// The cap of the reference implementation.
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
/// Object of tensors, object of fields, array of numbers.
constexpr std::size_t kHeaderDepth = 3;

Error corrupt(std::string message) {
  return Error{ErrorCode::kCorruption, "safetensors: " + std::move(message)};
}

std::optional<std::uint64_t> bytes_for(
    DType dtype,
    const std::vector<std::int64_t>& shape) {
  std::uint64_t bytes = size_of(dtype);
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(
                          bytes, static_cast<std::uint64_t>(extent), &bytes)) {
      return std::nullopt;
    }
  }
  return bytes;
}

/// The tensors in the order of their bytes.
std::vector<const TensorView*> in_file_order(const TensorFile& file) {
  std::vector<const TensorView*> order;
  order.reserve(file.tensors.size());
  for (const TensorView& tensor : file.tensors) {
    SWAVD_CHECK(bytes_for(tensor.dtype, tensor.shape) == tensor.data.size());
    order.push_back(&tensor);
  }
  std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) {
    return size_of(a->dtype) > size_of(b->dtype);
  });
  return order;
}

/// Where the tensors will lie.
SafetensorsLayout layout_of(
    const TensorFile& file,
    const std::vector<const TensorView*>& order) {
  SafetensorsLayout layout;
  layout.metadata = file.metadata;
  std::uint64_t begin = 0;
  for (const TensorView* tensor : order) {
    layout.tensors.push_back(
        {tensor->name,
         tensor->dtype,
         tensor->shape,
         begin,
         tensor->data.size()});
    begin += tensor->data.size();
  }
  return layout;
}

std::optional<DType> dtype_from(const nlohmann::json& json) {
  for (const DType dtype :
       {DType::kF32,
        DType::kF16,
        DType::kBF16,
        DType::kF64,
        DType::kI64,
        DType::kU64}) {
    if (json == to_string(dtype)) {
      return dtype;
    }
  }
  return std::nullopt;
}

/// Non-negative integers below 2^63; nullopt when `json` is anything else.
std::optional<std::vector<std::int64_t>> integers_from(
    const nlohmann::json& json) {
  if (!json.is_array()) {
    return std::nullopt;
  }
  std::vector<std::int64_t> numbers;
  for (const auto& item : json) {
    if (!item.is_number_unsigned() ||
        item.get<std::uint64_t>() >
            static_cast<std::uint64_t>(
                std::numeric_limits<std::int64_t>::max())) {
      return std::nullopt;
    }
    numbers.push_back(item.get<std::int64_t>());
  }
  return numbers;
}

Result<TensorEntry> tensor_from(
    const std::string& name,
    const nlohmann::json& fields,
    std::uint64_t data_bytes) {
  if (!fields.is_object() || fields.size() != 3 || !fields.contains("dtype") ||
      !fields.contains("shape") || !fields.contains("data_offsets")) {
    return corrupt(fmt::format(
        "tensor {} must have exactly dtype, shape and data_offsets", name));
  }
  const auto dtype = dtype_from(fields["dtype"]);
  if (!dtype) {
    return corrupt(fmt::format(
        "tensor {} has the unsupported dtype {}",
        name,
        fields["dtype"].dump()));
  }
  const auto shape = integers_from(fields["shape"]);
  const auto offsets = integers_from(fields["data_offsets"]);
  if (!shape || !offsets || offsets->size() != 2) {
    return corrupt(fmt::format("tensor {} has a bad shape or offsets", name));
  }
  const auto begin = static_cast<std::uint64_t>((*offsets)[0]);
  const auto end = static_cast<std::uint64_t>((*offsets)[1]);
  if (begin > end || end > data_bytes) {
    return corrupt(fmt::format(
        "tensor {} lies at [{}, {}) of {} bytes",
        name,
        begin,
        end,
        data_bytes));
  }
  if (bytes_for(*dtype, *shape) != end - begin) {
    return corrupt(fmt::format(
        "tensor {} has {} bytes, not what its shape needs", name, end - begin));
  }
  return TensorEntry{name, *dtype, *shape, begin, end - begin};
}

Result<std::map<std::string, std::string>> metadata_from(
    const nlohmann::json& json) {
  std::map<std::string, std::string> metadata;
  if (!json.is_object()) {
    return corrupt("__metadata__ is not an object");
  }
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) {
      return corrupt("__metadata__ must map text to text");
    }
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

/// Sorts by position and refuses holes and overlaps.
Status check_layout(
    std::vector<TensorEntry>& tensors,
    std::uint64_t data_bytes) {
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    // Empty tensors before the one that begins at the same place.
    return std::tie(a.offset, a.bytes) < std::tie(b.offset, b.bytes);
  });
  std::uint64_t next = 0;
  for (const TensorEntry& tensor : tensors) {
    if (tensor.offset != next) {
      return corrupt(fmt::format(
          "tensor {} {} the one before it",
          tensor.name,
          tensor.offset < next ? "overlaps" : "leaves a hole after"));
    }
    next += tensor.bytes;
  }
  if (next != data_bytes) {
    return corrupt(
        fmt::format("{} bytes after the last tensor", data_bytes - next));
  }
  return ok_status();
}

}  // namespace

std::string safetensors_header(const SafetensorsLayout& layout) {
  nlohmann::ordered_json metadata = {{"format", "pt"}};
  for (const auto& [key, value] : layout.metadata) {
    metadata[key] = value;
  }
  metadata["format"] = "pt";
  // Joined by hand: an ordered JSON object looks every key up linearly.
  std::string json = "{\"__metadata__\":" + metadata.dump();
  for (const TensorEntry& tensor : layout.tensors) {
    json += fmt::format(
        ",{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}}",
        nlohmann::json(tensor.name).dump(),
        to_string(tensor.dtype),
        nlohmann::json(tensor.shape).dump(),
        tensor.offset,
        tensor.offset + tensor.bytes);
  }
  json += '}';
  json.resize((json.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  std::string header(kSafetensorsLengthBytes, '\0');
  for (std::size_t i = 0; i < kSafetensorsLengthBytes; ++i) {
    header[i] = static_cast<char>(json.size() >> 8U * i & 0xffU);
  }
  return header + json;
}

std::string safetensors_header(const TensorFile& file) {
  return safetensors_header(layout_of(file, in_file_order(file)));
}

std::uint64_t safetensors_bytes(const TensorFile& file) {
  return std::accumulate(
      file.tensors.begin(),
      file.tensors.end(),
      std::uint64_t{safetensors_header(file).size()},
      [](std::uint64_t sum, const TensorView& tensor) {
        return sum + tensor.data.size();
      });
}

Status write_safetensors(
    const TensorFile& file,
    const std::function<Status(Bytes)>& sink) {
  const auto order = in_file_order(file);
  SWAVD_RETURN_IF_ERROR(
      sink(as_bytes(safetensors_header(layout_of(file, order)))));
  for (const TensorView* tensor : order) {
    if (!tensor->data.empty()) {
      SWAVD_RETURN_IF_ERROR(sink(tensor->data));
    }
  }
  return ok_status();
}

const TensorView* SafetensorsView::find(const std::string& name) const {
  const auto hit = std::find_if(
      tensors.begin(), tensors.end(), [&](const TensorView& tensor) {
        return tensor.name == name;
      });
  return hit == tensors.end() ? nullptr : &*hit;
}

Result<std::uint64_t> safetensors_json_bytes(
    Bytes first,
    std::uint64_t file_bytes) {
  if (first.size() < kSafetensorsLengthBytes ||
      file_bytes < kSafetensorsLengthBytes) {
    return corrupt(fmt::format("{} bytes are no file", file_bytes));
  }
  const std::uint64_t length = load_u64_le(first.data());
  if (length > kMaxHeaderBytes ||
      length > file_bytes - kSafetensorsLengthBytes) {
    return corrupt(fmt::format(
        "a header of {} bytes in a file of {}", length, file_bytes));
  }
  return length;
}

Result<SafetensorsLayout> parse_safetensors_header(
    std::string_view json,
    std::uint64_t data_bytes) {
  if (json.empty() || json.front() != '{') {
    return corrupt("the header does not begin with {");
  }
  const auto header = parse_strict_json<nlohmann::json>(json, kHeaderDepth);
  if (!header.ok()) {
    return header.error().with_context("safetensors header");
  }
  SafetensorsLayout layout;
  for (const auto& [name, fields] : header.value().items()) {
    if (name == "__metadata__") {
      auto metadata = metadata_from(fields);
      if (!metadata.ok()) {
        return metadata.error();
      }
      layout.metadata = std::move(metadata).value();
      continue;
    }
    auto tensor = tensor_from(name, fields, data_bytes);
    if (!tensor.ok()) {
      return tensor.error();
    }
    layout.tensors.push_back(std::move(tensor).value());
  }
  SWAVD_RETURN_IF_ERROR(check_layout(layout.tensors, data_bytes));
  return layout;
}

Result<SafetensorsView> parse_safetensors(Bytes bytes) {
  const auto length = safetensors_json_bytes(bytes, bytes.size());
  if (!length.ok()) {
    return length.error();
  }
  const Bytes data = bytes.subspan(kSafetensorsLengthBytes + length.value());
  auto layout = parse_safetensors_header(
      as_text(bytes.subspan(kSafetensorsLengthBytes, length.value())),
      data.size());
  if (!layout.ok()) {
    return layout.error();
  }
  SafetensorsView view;
  view.metadata = std::move(layout.value().metadata);
  for (TensorEntry& tensor : layout.value().tensors) {
    view.tensors.push_back(
        {std::move(tensor.name),
         tensor.dtype,
         std::move(tensor.shape),
         data.subspan(tensor.offset, tensor.bytes)});
  }
  return view;
}

}  // namespace swavd::state
