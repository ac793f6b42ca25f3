#include "dedup_free_loader/render/color.h"

#include "dedup_free_loader/render/clones.h"

namespace swavd::loader {

namespace {

SWAVD_INLINE std::int32_t
gray_of(std::int32_t red, std::int32_t green, std::int32_t blue) {
  return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
}

SWAVD_INLINE std::int32_t max_of(std::int32_t a, std::int32_t b) {
  return a > b ? a : b;
}

SWAVD_INLINE std::int32_t min_of(std::int32_t a, std::int32_t b) {
  return a < b ? a : b;
}

/// Pillow's Image.blend: from `base` towards `level` and beyond. It clamps
/// before it truncates, which comes to the same; integers have an instruction
/// for it.
SWAVD_INLINE std::uint8_t blend(float base, float level, float factor) {
  const auto value = static_cast<std::int32_t>(base + factor * (level - base));
  return static_cast<std::uint8_t>(min_of(max_of(value, 0), 255));
}

/// A choice without a branch. The vectoriser gives up on loops in which the
/// compiler has turned a conditional expression into jumps.
SWAVD_INLINE std::int32_t
select(bool condition, std::int32_t yes, std::int32_t no) {
  const std::int32_t mask = -static_cast<std::int32_t>(condition);
  return (yes & mask) | (no & ~mask);
}

/// x / 255 rounded to nearest, for x in [0, 65025].
SWAVD_INLINE std::int32_t divide_255(std::int32_t x) {
  return (x + 128 + ((x + 128) >> 8)) >> 8;
}

/// Pillow's 8-bit hue (0-255 around the circle) of a colour that is not grey.
/// float32 gives the same as Pillow's mixture with double for every colour.
SWAVD_INLINE std::int32_t
hue_of(std::int32_t red, std::int32_t green, std::int32_t blue) {
  const std::int32_t high = max_of(red, max_of(green, blue));
  const std::int32_t low = min_of(red, min_of(green, blue));
  const std::int32_t middle = red + green + blue - high - low;
  const std::int32_t range = max_of(high - low, 1);
  const float part =
      static_cast<float>(high - middle) / static_cast<float>(range);
  // In sixths of the circle, from the sector of the highest channel; the
  // lowest one says on which side.
  const std::int32_t red_sign = select(blue <= green, 1, -1);
  const std::int32_t green_sign = select(blue <= red, 1, -1);
  const std::int32_t blue_sign = select(red <= green, 1, -1);
  const std::int32_t sign = select(
      red == high, -red_sign, select(green == high, green_sign, blue_sign));
  const std::int32_t base = select(
      red == high,
      red_sign,
      select(green == high, 2 - green_sign, 4 - blue_sign));
  const float circle =
      (static_cast<float>(base) + static_cast<float>(sign) * part) / 6.0F;
  const float wrapped = circle < 0.0F ? circle + 1.0F : circle;
  return static_cast<std::int32_t>(wrapped * 255.0F);
}

SWAVD_INLINE std::int32_t saturation_of(std::int32_t high, std::int32_t low) {
  const float share =
      static_cast<float>(high - low) / static_cast<float>(max_of(high, 1));
  return static_cast<std::int32_t>(share * 255.0F);
}

struct Rgb {
  std::int32_t red, green, blue;
};

/// Pillow's conversion of 8-bit HSV to RGB.
SWAVD_INLINE Rgb
rgb_of(std::int32_t hue, std::int32_t saturation, std::int32_t value) {
  const std::int32_t scaled = hue * 6;
  const std::int32_t sector = (scaled * 257 + 257) >> 16;  // scaled / 255
  const auto rest = static_cast<float>(scaled - sector * 255);
  const float fraction = rest / 255.0F;
  const float distance = (sector & 1) != 0 ? fraction : 1.0F - fraction;
  const float chroma = static_cast<float>(saturation) / 255.0F;
  const float kept = 1.0F - chroma * distance;
  const auto middle =
      static_cast<std::int32_t>(static_cast<float>(value) * kept + 0.5F);
  const std::int32_t low = divide_255(value * (255 - saturation));
  // Hue 255 falls into sector 6; there `middle` is `low`, as at the end of 5.
  const std::int32_t last = min_of(sector, 5);
  const bool odd = (last & 1) != 0;
  const std::int32_t pair = last >> 1;
  const std::int32_t first = select(odd, middle, value);
  const std::int32_t second = select(odd, value, middle);
  const std::int32_t red =
      select(pair == 0, first, select(pair == 1, low, second));
  const std::int32_t green =
      select(pair == 0, second, select(pair == 1, first, low));
  const std::int32_t blue =
      select(pair == 0, low, select(pair == 1, second, first));
  return {red, green, blue};
}

}  // namespace

SWAVD_CLONES void scale_levels(
    std::uint8_t* levels,
    std::size_t count,
    float pivot,
    float factor) {
  for (std::size_t i = 0; i < count; ++i) {
    levels[i] = blend(pivot, static_cast<float>(levels[i]), factor);
  }
}

SWAVD_CLONES void scale_saturation(
    std::uint8_t* __restrict red,
    std::uint8_t* __restrict green,
    std::uint8_t* __restrict blue,
    std::size_t count,
    float factor) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto gray = static_cast<float>(gray_of(red[i], green[i], blue[i]));
    red[i] = blend(gray, static_cast<float>(red[i]), factor);
    green[i] = blend(gray, static_cast<float>(green[i]), factor);
    blue[i] = blend(gray, static_cast<float>(blue[i]), factor);
  }
}

SWAVD_CLONES void turn_hue(
    std::uint8_t* __restrict red,
    std::uint8_t* __restrict green,
    std::uint8_t* __restrict blue,
    std::size_t count,
    std::uint8_t turn) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t r = red[i];
    const std::int32_t g = green[i];
    const std::int32_t b = blue[i];
    const std::int32_t high = max_of(r, max_of(g, b));
    const std::int32_t low = min_of(r, min_of(g, b));
    const std::int32_t hue = (hue_of(r, g, b) + turn) & 255;
    const Rgb turned = rgb_of(hue, saturation_of(high, low), high);
    red[i] = static_cast<std::uint8_t>(turned.red);
    green[i] = static_cast<std::uint8_t>(turned.green);
    blue[i] = static_cast<std::uint8_t>(turned.blue);
  }
}

SWAVD_CLONES void to_gray(
    std::uint8_t* __restrict red,
    const std::uint8_t* __restrict green,
    const std::uint8_t* __restrict blue,
    std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    red[i] = static_cast<std::uint8_t>(gray_of(red[i], green[i], blue[i]));
  }
}

SWAVD_CLONES std::uint32_t sum_gray(
    const std::uint8_t* red,
    const std::uint8_t* green,
    const std::uint8_t* blue,
    std::size_t count) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += static_cast<std::uint32_t>(gray_of(red[i], green[i], blue[i]));
  }
  return sum;
}

}  // namespace swavd::loader
