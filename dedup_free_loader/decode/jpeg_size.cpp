#include "dedup_free_loader/decode/jpeg_size.h"

#include <cstddef>
#include <cstdint>

namespace swavd::loader {

namespace {

// Markers: the byte after 0xFF.
constexpr std::uint8_t kStartOfImage = 0xD8;
constexpr std::uint8_t kFirstFrame = 0xC0;  // baseline
constexpr std::uint8_t kLastFrame = 0xC2;   // progressive
// Those from RST0 to EOI, and TEM, stand alone; SOS is followed by data.
constexpr std::uint8_t kFirstWithoutLength = 0xD0;
constexpr std::uint8_t kStartOfScan = 0xDA;
constexpr std::uint8_t kTemporary = 0x01;

std::size_t two_bytes(Bytes file, std::size_t at) {
  constexpr unsigned kByte = 8;
  return (std::size_t{file[at]} << kByte) | file[at + 1];
}

}  // namespace

std::optional<PictureSize> guess_jpeg_size(Bytes file) {
  constexpr std::uint8_t kFill = 0xFF;
  constexpr std::size_t kMarker = 2;
  // Of a frame header up to the width: length, precision, height, width.
  constexpr std::size_t kHeader = 7;
  constexpr std::size_t kHeight = 3;
  constexpr std::size_t kWidth = 5;
  if (file.size() < kMarker || file[0] != kFill || file[1] != kStartOfImage) {
    return std::nullopt;
  }
  std::size_t at = kMarker;
  while (at + kMarker + kHeader <= file.size() && file[at] == kFill) {
    const std::uint8_t marker = file[at + 1];
    if (marker == kFill) {  // markers may be padded
      ++at;
      continue;
    }
    at += kMarker;
    if (marker >= kFirstFrame && marker <= kLastFrame) {
      const PictureSize size{
          .width = static_cast<std::int32_t>(two_bytes(file, at + kWidth)),
          .height = static_cast<std::int32_t>(two_bytes(file, at + kHeight))};
      return size.width > 0 && size.height > 0 ? std::optional(size)
                                               : std::nullopt;
    }
    if (marker == kTemporary || marker == 0 ||
        (marker >= kFirstWithoutLength && marker <= kStartOfScan)) {
      return std::nullopt;
    }
    at += two_bytes(file, at);
  }
  return std::nullopt;
}

}  // namespace swavd::loader
