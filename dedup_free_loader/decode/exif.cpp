#include "dedup_free_loader/decode/exif.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dedup_free_loader/decode/orientation.h"
#include "dedup_free_loader/decode/parts.h"

namespace swavd::loader {

namespace {

using std::string_view_literals::operator""sv;

bool begins(Bytes bytes, std::string_view text) {
  return as_text(bytes).starts_with(text);
}

bool is_exif(const FilePart& part) {
  constexpr std::string_view kApp1 = "\xE1";
  return part.kind == "eXIf" || part.kind == "EXIF" ||
         (part.kind == kApp1 && begins(part.data, "Exif\0"sv));
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
  const bool highest_first = begins(exif, "MM\0*"sv);
  if (!highest_first && !begins(exif, "II*\0"sv)) {
    return kUpright;
  }
  const auto number = [&](std::size_t at, std::size_t bytes) {
    return highest_first ? big_endian(exif, at, bytes)
                         : little_endian(exif, at, bytes);
  };
  const auto directory = number(4, 4);
  const auto entries = directory ? number(*directory, 2) : std::nullopt;
  for (std::size_t i = 0; entries && i < *entries; ++i) {
    const std::size_t at = std::size_t{*directory} + 2 + kEntry * i;
    const auto tag = number(at, 2);
    if (!tag) {
      break;
    }
    if (*tag != kOrientation) {
      continue;
    }
    const auto type = number(at + 2, 2);
    const auto value = type == kShort  ? number(at + 8, 2)
                       : type == kLong ? number(at + 8, 4)
                                       : std::nullopt;
    return value && *value >= 1 && *value <= kLast ? static_cast<int>(*value)
                                                   : kUpright;
  }
  return kUpright;
}

int exif_orientation(Bytes file) {
  FileParts parts(file);
  while (const auto part = parts.next()) {
    if (is_exif(*part)) {
      return orientation_of_exif(part->data);
    }
  }
  return kUpright;
}

}  // namespace swavd::loader
