#include "state/diff/tensor_stream.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace swavd::state {

TensorStream::TensorStream(SnapshotReader& reader, const FileEntry& file)
    : source_(reader, file) {}

Result<std::unique_ptr<TensorStream>> TensorStream::open(
    SnapshotReader& reader,
    const FileEntry& file) {
  // Not make_unique: the constructor is private.
  std::unique_ptr<TensorStream> stream(new TensorStream(reader, file));
  const Status loaded = stream->load_header(file.bytes);
  if (!loaded.ok()) {
    return loaded.error().with_context(file.name);
  }
  return stream;
}

Status TensorStream::load_header(std::uint64_t file_bytes) {
  std::array<std::uint8_t, kSafetensorsLengthBytes> first{};
  SWAVD_RETURN_IF_ERROR(fill(first));
  const auto length = safetensors_json_bytes(first, file_bytes);
  if (!length.ok()) {
    return length.error();
  }
  ByteVector json(length.value());
  SWAVD_RETURN_IF_ERROR(fill(json));
  auto layout = parse_safetensors_header(
      as_text(json), file_bytes - first.size() - json.size());
  if (!layout.ok()) {
    return layout.error();
  }
  layout_ = std::move(layout).value();
  return ok_status();
}

Status TensorStream::fill(std::span<std::uint8_t> into) {
  while (!into.empty()) {
    if (piece_.empty()) {
      auto next = source_.next();
      if (!next.ok()) {
        return next.error();
      }
      if (next.value().empty()) {
        return Error{ErrorCode::kCorruption, "the file ends too early"};
      }
      piece_ = next.value();
    }
    const std::size_t count = std::min(piece_.size(), into.size());
    std::copy_n(piece_.begin(), count, into.begin());
    piece_ = piece_.subspan(count);
    into = into.subspan(count);
  }
  return ok_status();
}

Status TensorStream::finish() {
  const auto end = source_.next();
  return end.ok() ? ok_status() : Status(end.error());
}

}  // namespace swavd::state
