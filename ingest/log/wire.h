#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace swavd::ingest {

/// Appends `value` to `text`, little-endian, 4 bytes.
void append_u32_le(std::string& text, std::uint32_t value);

/// Appends `value` to `text`, little-endian, 8 bytes.
void append_u64_le(std::string& text, std::uint64_t value);

/// Appends the length of `piece` as a u32 and then its bytes.
void append_sized(std::string& text, std::string_view piece);

/// Takes fixed-width fields from the front of a borrowed text. A field that
/// would run over the end gives nullopt, and so does every one after it.
class WireReader {
 public:
  explicit WireReader(std::string_view text) : rest_(text) {}

  [[nodiscard]] std::optional<std::uint32_t> u32();
  [[nodiscard]] std::optional<std::uint64_t> u64();
  /// A u32 length and that many bytes, borrowed.
  [[nodiscard]] std::optional<std::string_view> sized();

  /// What has not been taken yet.
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::optional<std::uint64_t> take_integer(std::size_t width);

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace swavd::ingest
