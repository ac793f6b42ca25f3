#include "dedup_free_loader/decode/orientation.h"

#include <cstddef>
#include <cstring>
#include <utility>
#include <vector>

namespace swavd::loader {

namespace {

bool is_turned(int orientation) {
  constexpr int kLast = 8;
  return orientation > kUpright && orientation <= kLast;
}

bool exchanges_sides(int orientation) {
  return is_turned(orientation) && orientation >= 5;
}

bool is_mirrored_across(int orientation) {
  return orientation == 2 || orientation == 3 || orientation == 6 ||
         orientation == 7;
}

bool is_mirrored_down(int orientation) {
  return orientation == 3 || orientation == 4 || orientation == 7 ||
         orientation == 8;
}

/// Where a part of an upright picture lies before it is mirrored, or after.
Region mirrored(Region part, const PictureSize& upright, int orientation) {
  if (is_mirrored_across(orientation)) {
    part.x = upright.width - part.x - part.width;
  }
  if (is_mirrored_down(orientation)) {
    part.y = upright.height - part.y - part.height;
  }
  return part;
}

Region exchanged(const Region& part, int orientation) {
  return exchanges_sides(orientation)
             ? Region{part.y, part.x, part.height, part.width}
             : part;
}

}  // namespace

PictureSize upright_sides(const PictureSize& stored, int orientation) {
  return exchanges_sides(orientation) ? PictureSize{stored.height, stored.width}
                                      : stored;
}

Region stored_region(
    const Region& upright,
    const PictureSize& stored,
    int orientation) {
  return exchanged(
      mirrored(upright, upright_sides(stored, orientation), orientation),
      orientation);
}

void turn_upright(Image& image, const PictureSize& stored, int orientation) {
  if (!is_turned(orientation)) {
    return;
  }
  const auto stored_width = static_cast<std::ptrdiff_t>(image.width);
  const auto stored_height = static_cast<std::ptrdiff_t>(image.height);
  const Region turned = mirrored(
      exchanged({image.x, image.y, image.width, image.height}, orientation),
      upright_sides(stored, orientation),
      orientation);
  image.x = turned.x;
  image.y = turned.y;
  image.width = turned.width;
  image.height = turned.height;
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
  const std::vector<std::uint8_t> pixels(image.rgb.begin(), image.rgb.end());
  const std::uint8_t* from = pixels.data();
  for (std::ptrdiff_t y = 0; y < stored_height; ++y) {
    std::uint8_t* to = image.rgb.data() + first + y * down;
    for (std::ptrdiff_t x = 0; x < stored_width; ++x) {
      std::memcpy(to + x * right, from, 3);
      from += 3;
    }
  }
}

}  // namespace swavd::loader
