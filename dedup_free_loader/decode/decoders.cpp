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

std::optional<Rejection>
check_density(std::uint64_t width, std::uint64_t height, Bytes file) {
  // Photographs have less than 20 pixels a byte, a page with some lines of
  // text 100; small pictures cost little however many they have.
  constexpr std::uint64_t kSmall = 1U << 22U;
  constexpr std::uint64_t kMaxPixelsOfAByte = 256;
  const std::uint64_t pixels = width * height;
  if (pixels <= kSmall || pixels / kMaxPixelsOfAByte <= file.size()) {
    return std::nullopt;
  }
  return Rejection{
      RejectReason::kTooManyPixels,
      fmt::format(
          "{}x{} pixels in {} bytes, the limit is {} a byte",
          width,
          height,
          file.size(),
          kMaxPixelsOfAByte)};
}

Image make_image(std::uint64_t width, std::uint64_t height) {
  Image image;
  image.width = static_cast<std::int32_t>(width);
  image.height = static_cast<std::int32_t>(height);
  image.rgb.resize(width * height * 3);
  return image;
}

}  // namespace swavd::loader
