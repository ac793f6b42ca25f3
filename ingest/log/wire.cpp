#include "ingest/log/wire.h"

#include <cstddef>

namespace swavd::ingest {

namespace {

void append_le(std::string& text, std::uint64_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) {
    text.push_back(static_cast<char>(value & 0xffU));
    value >>= 8U;
  }
}

}  // namespace

void append_u32_le(std::string& text, std::uint32_t value) {
  append_le(text, value, 4);
}

void append_u64_le(std::string& text, std::uint64_t value) {
  append_le(text, value, 8);
}

void append_sized(std::string& text, std::string_view piece) {
  append_u32_le(text, static_cast<std::uint32_t>(piece.size()));
  text.append(piece);
}

std::optional<std::uint64_t> WireReader::take_integer(std::size_t width) {
  if (failed_ || rest_.size() < width) {
    failed_ = true;
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (std::size_t i = width; i-- > 0;) {
    value = value << 8U | static_cast<std::uint8_t>(rest_[i]);
  }
  rest_.remove_prefix(width);
  return value;
}

std::optional<std::uint32_t> WireReader::u32() {
  const auto value = take_integer(4);
  if (!value) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(*value);
}

std::optional<std::uint64_t> WireReader::u64() {
  return take_integer(8);
}

std::optional<std::string_view> WireReader::sized() {
  const auto size = u32();
  if (!size || rest_.size() < *size) {
    failed_ = true;
    return std::nullopt;
  }
  const std::string_view piece = rest_.substr(0, *size);
  rest_.remove_prefix(*size);
  return piece;
}

}  // namespace swavd::ingest
