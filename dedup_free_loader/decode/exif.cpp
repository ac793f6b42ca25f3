#include "dedup_free_loader/decode/exif.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dedup_free_loader/decode/orientation.h"
#include "dedup_free_loader/image.h"

namespace swavd::loader {

namespace {

using std::string_view_literals::operator""sv;

enum class Order { kLowestFirst, kHighestFirst };

/// A number of `bytes` bytes; nullopt when it is not all inside.
std::optional<std::uint32_t>
number(Bytes from, std::size_t at, std::size_t bytes, Order order) {
  if (at > from.size() || bytes > from.size() - at) {
    return std::nullopt;
  }
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    const std::size_t place = order == Order::kHighestFirst ? i : bytes - 1 - i;
    value = value << 8U | from[at + place];
  }
  return value;
}

/// The bytes from `at` on, `length` of them or as many as there are.
Bytes part(Bytes from, std::size_t at, std::size_t length) {
  const Bytes rest = from.subspan(std::min(at, from.size()));
  return rest.first(std::min(length, rest.size()));
}

bool begins(Bytes bytes, std::string_view text) {
  return as_text(bytes).starts_with(text);
}

/// The first EXIF among a JPEG's segments.
Bytes exif_of_jpeg(Bytes file) {
  constexpr std::uint32_t kMark = 0xff;
  constexpr std::uint32_t kApp1 = 0xffe1;
  constexpr std::uint32_t kScan = 0xffda;
  constexpr std::uint32_t kEnd = 0xffd9;
  std::size_t at = 2;
  while (true) {
    const auto marker = number(file, at, 2, Order::kHighestFirst);
    if (!marker || *marker >> 8U != kMark || *marker == kScan ||
        *marker == kEnd) {
      return {};
    }
    if (*marker == 0xffff) {
      ++at;  // markers may be padded
      continue;
    }
    const auto length = number(file, at + 2, 2, Order::kHighestFirst);
    if (!length || *length < 2) {
      return {};
    }
    const Bytes segment = part(file, at + 4, *length - 2);
    if (*marker == kApp1 && begins(segment, "Exif\0"sv)) {
      return segment;
    }
    at += 2 + *length;
  }
}

Bytes exif_of_png(Bytes file) {
  constexpr std::size_t kSignature = 8;
  constexpr std::size_t kFrame = 12;  // length, kind and checksum
  std::size_t at = kSignature;
  while (const auto length = number(file, at, 4, Order::kHighestFirst)) {
    if (begins(part(file, at + 4, 4), "eXIf")) {
      return part(file, at + 8, *length);
    }
    at += kFrame + *length;
  }
  return {};
}

Bytes exif_of_webp(Bytes file) {
  constexpr std::size_t kHeader = 12;
  std::size_t at = kHeader;
  while (const auto length = number(file, at + 4, 4, Order::kLowestFirst)) {
    if (begins(part(file, at, 4), "EXIF")) {
      return part(file, at + 8, *length);
    }
    at += 8 + std::size_t{*length} + *length % 2;
  }
  return {};
}

}  // namespace

int orientation_of_exif(Bytes exif) {
  constexpr std::uint32_t kOrientation = 0x0112;
  constexpr std::uint32_t kShort = 3;
  constexpr std::uint32_t kLong = 4;
  constexpr std::uint32_t kLast = 8;
  constexpr std::size_t kEntry = 12;
  constexpr auto kPrefix = "Exif\0\0"sv;
  if (begins(exif, kPrefix)) {
    exif = exif.subspan(kPrefix.size());
  }
  Order order = Order::kLowestFirst;
  if (begins(exif, "MM\0*"sv)) {
    order = Order::kHighestFirst;
  } else if (!begins(exif, "II*\0"sv)) {
    return kUpright;
  }
  const auto directory = number(exif, 4, 4, order);
  const auto entries =
      directory ? number(exif, *directory, 2, order) : std::nullopt;
  for (std::size_t i = 0; entries && i < *entries; ++i) {
    const std::size_t at = std::size_t{*directory} + 2 + kEntry * i;
    const auto tag = number(exif, at, 2, order);
    if (!tag) {
      break;
    }
    if (*tag != kOrientation) {
      continue;
    }
    const auto type = number(exif, at + 2, 2, order);
    const auto value = type == kShort  ? number(exif, at + 8, 2, order)
                       : type == kLong ? number(exif, at + 8, 4, order)
                                       : std::nullopt;
    return value && *value >= 1 && *value <= kLast ? static_cast<int>(*value)
                                                   : kUpright;
  }
  return kUpright;
}

int exif_orientation(Bytes file) {
  const std::string_view format = sniff_format(file);
  if (format == "jpeg") {
    return orientation_of_exif(exif_of_jpeg(file));
  }
  if (format == "png") {
    return orientation_of_exif(exif_of_png(file));
  }
  if (format == "webp") {
    return orientation_of_exif(exif_of_webp(file));
  }
  return kUpright;
}

}  // namespace swavd::loader
