#include "dedup_free_loader/decode/decoders.h"

#include <limits>

#include <fmt/format.h>

namespace swavd::loader {

std::optional<Rejection> check_size(
    std::uint64_t width,
    std::uint64_t height,
    const DecodeLimits& limits) {
  if (width == 0 || height == 0) {
    return Rejection{
        RejectReason::kMalformed,
        fmt::format("the header says {}x{} pixels", width, height)};
  }
  constexpr std::uint64_t kMaxSide = std::numeric_limits<std::int32_t>::max();
  if (width > kMaxSide || height > kMaxSide ||
      width > limits.max_pixels / height) {
    return Rejection{
        RejectReason::kTooManyPixels,
        fmt::format(
            "{}x{} pixels, the limit is {}", width, height, limits.max_pixels)};
  }
  return std::nullopt;
}

Image make_image(std::uint64_t width, std::uint64_t height) {
  Image image;
  image.width = static_cast<std::int32_t>(width);
  image.height = static_cast<std::int32_t>(height);
  image.rgb.resize(width * height * 3);
  return image;
}

}  // namespace swavd::loader
