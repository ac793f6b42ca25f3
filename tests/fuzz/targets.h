#pragma once

#include <span>
#include <string_view>

#include "ops/base/bytes.h"

namespace swavd::fuzz {

/// Something that has to hold for any bytes: `run` aborts when it does not.
struct Target {
  std::string_view name;
  /// Format of the seeds that are worth starting from ("jpeg"); empty: any.
  std::string_view format;
  void (*run)(Bytes input);
};

/// All there are:
///
///   - sniff: every file has a format or none, and decoding agrees with it;
///   - jpeg, png, webp, gif, bmp, tiff, avif: every file of the format gives a
///     whole picture or a reason, within the limits;
///   - region: the part of a JPEG that is asked for has the pixels of the
///     whole;
///   - crops: plans lie within the picture, whatever its size and the options.
[[nodiscard]] std::span<const Target> targets();

/// The one of this name; aborts when there is none.
[[nodiscard]] const Target& target_of(std::string_view name);

}  // namespace swavd::fuzz
