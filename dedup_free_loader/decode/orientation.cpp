#include "dedup_free_loader/decode/orientation.h"

#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

namespace swavd::loader {

namespace {

constexpr int kLast = 8;

bool exchanges_sides(int orientation) {
  return orientation >= 5;
}

bool is_mirrored_across(int orientation) {
  return orientation == 2 || orientation == 3 || orientation == 6 ||
         orientation == 7;
}

bool is_mirrored_down(int orientation) {
  return orientation == 3 || orientation == 4 || orientation == 7 ||
         orientation == 8;
}

}  // namespace

void turn_upright(Image& image, int orientation) {
  if (orientation <= kUpright || orientation > kLast) {
    return;
  }
  const auto stored_width = static_cast<std::ptrdiff_t>(image.width);
  const auto stored_height = static_cast<std::ptrdiff_t>(image.height);
  if (exchanges_sides(orientation)) {
    std::swap(image.width, image.height);
  }
  // A step to the right and one down in the upright picture.
  std::ptrdiff_t right = 3;
  std::ptrdiff_t down = right * image.width;
  std::ptrdiff_t first = 0;
  if (is_mirrored_across(orientation)) {
    first += right * (image.width - 1);
    right = -right;
  }
  if (is_mirrored_down(orientation)) {
    first += down * (image.height - 1);
    down = -down;
  }
  // The same steps along a stored row and from one to the next.
  if (exchanges_sides(orientation)) {
    std::swap(right, down);
  }
  // Its memory may be the only that there is for pixels: the copy is not one.
  const std::vector<std::uint8_t> stored(image.rgb.begin(), image.rgb.end());
  const std::uint8_t* from = stored.data();
  for (std::ptrdiff_t y = 0; y < stored_height; ++y) {
    std::uint8_t* to = image.rgb.data() + first + y * down;
    for (std::ptrdiff_t x = 0; x < stored_width; ++x) {
      std::memcpy(to + x * right, from, 3);
      from += 3;
    }
  }
}

}  // namespace swavd::loader
