#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "dedup_free_loader/render/blur.h"
#include "dedup_free_loader/render/color.h"
#include "dedup_free_loader/render/taps.h"
#include "ops/base/philox.h"

namespace swavd::loader {
namespace {

using Color = std::array<std::uint8_t, 3>;

/// Pillow's RGB -> HSV, its mixture of float and double written out.
Color to_hsv(const Color& rgb) {
  const auto [r, g, b] = rgb;
  const std::uint8_t high = std::max({r, g, b});
  const std::uint8_t low = std::min({r, g, b});
  if (high == low) {
    return {0, 0, high};
  }
  const auto range = static_cast<float>(high - low);
  const float rc = static_cast<float>(high - r) / range;
  const float gc = static_cast<float>(high - g) / range;
  const float bc = static_cast<float>(high - b) / range;
  float h = 0;
  if (r == high) {
    h = bc - gc;
  } else if (g == high) {
    h = static_cast<float>(2.0 + double{rc} - double{bc});
  } else {
    h = static_cast<float>(4.0 + double{gc} - double{rc});
  }
  h = static_cast<float>(std::fmod(double{h} / 6.0 + 1.0, 1.0));
  const float s = range / static_cast<float>(high);
  return {
      static_cast<std::uint8_t>(double{h} * 255.0),
      static_cast<std::uint8_t>(double{s} * 255.0),
      high};
}

/// Pillow's HSV -> RGB.
Color to_rgb(const Color& hsv) {
  const auto [h, s, v] = hsv;
  const double sixths = static_cast<float>(h) * 6.0 / 255.0;
  const auto sector = static_cast<int>(std::floor(sixths));
  const auto f = static_cast<float>(sixths - sector);
  const auto fs = static_cast<float>(static_cast<float>(s) / 255.0);
  const double value = v;
  const auto level = [&](double kept) {
    return static_cast<std::uint8_t>(
        std::clamp(std::round(value * kept), 0.0, 255.0));
  };
  const std::uint8_t p = level(1.0 - double{fs});
  const std::uint8_t q = level(1.0 - double{fs * f});
  const std::uint8_t t = level(1.0 - double{fs} * (1.0 - double{f}));
  const std::array<Color, 6> sectors = {
      {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}}};
  return sectors[static_cast<std::size_t>(sector % 6)];
}

/// How far to turn, and which shades of red to try: every `step`th.
struct Turn {
  int by;
  int step;
};

class Hue : public ::testing::TestWithParam<Turn> {};

TEST_P(Hue, TurnsEveryColorAsPillowDoes) {
  const auto turn = static_cast<std::uint8_t>(GetParam().by);
  std::vector<std::uint8_t> green(65536);
  std::vector<std::uint8_t> blue(65536);
  for (int red = 0; red < 256; red += GetParam().step) {
    std::vector<std::uint8_t> reds(65536, static_cast<std::uint8_t>(red));
    for (std::size_t i = 0; i < 65536; ++i) {
      green[i] = static_cast<std::uint8_t>(i >> 8U);
      blue[i] = static_cast<std::uint8_t>(i & 255U);
    }
    turn_hue(reds.data(), green.data(), blue.data(), reds.size(), turn);
    for (std::size_t i = 0; i < 65536; ++i) {
      Color hsv = to_hsv(
          {static_cast<std::uint8_t>(red),
           static_cast<std::uint8_t>(i >> 8U),
           static_cast<std::uint8_t>(i & 255U)});
      hsv[0] = static_cast<std::uint8_t>(hsv[0] + turn);
      ASSERT_EQ((Color{reds[i], green[i], blue[i]}), to_rgb(hsv))
          << "red " << red << " rest " << i;
    }
  }
}

// All 2^24 colours once; a sanitizer has seen enough after a part of them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kFinest = 51;
#else
constexpr int kFinest = 1;
#endif

INSTANTIATE_TEST_SUITE_P(
    Turns,
    Hue,
    ::testing::Values(Turn{37, kFinest}, Turn{0, 17}, Turn{229, 15}));

TEST(ScaleLevels, TruncatesAndClampsAsPillowsBlend) {
  for (const float factor : {0.2F, 0.999F, 1.0F, 1.3F, 1.8F}) {
    for (const float pivot : {0.0F, 113.0F, 255.0F}) {
      std::array<std::uint8_t, 256> levels{};
      for (std::size_t i = 0; i < levels.size(); ++i) {
        levels[i] = static_cast<std::uint8_t>(i);
      }
      scale_levels(levels.data(), levels.size(), pivot, factor);
      for (std::size_t i = 0; i < levels.size(); ++i) {
        const float value = pivot + factor * (static_cast<float>(i) - pivot);
        const float clamped = std::clamp(value, 0.0F, 255.0F);
        ASSERT_EQ(levels[i], static_cast<std::uint8_t>(clamped));
      }
    }
  }
}

TEST(GrayLevels, SumToTheSumOfTheGrayPlane) {
  std::vector<std::uint8_t> red(1001);
  std::vector<std::uint8_t> green(1001);
  std::vector<std::uint8_t> blue(1001);
  for (std::size_t i = 0; i < red.size(); ++i) {
    red[i] = static_cast<std::uint8_t>(i * 7);
    green[i] = static_cast<std::uint8_t>(i * 13 + 5);
    blue[i] = static_cast<std::uint8_t>(i * 31 + 9);
  }
  const std::uint32_t sum =
      sum_gray(red.data(), green.data(), blue.data(), red.size());
  to_gray(red.data(), green.data(), blue.data(), red.size());
  std::uint32_t expected = 0;
  for (const std::uint8_t level : red) {
    expected += level;
  }
  EXPECT_EQ(sum, expected);
}

TEST(Taps, KeepABrightAreaBright) {
  for (const std::int32_t in_size : {1, 2, 7, 32, 100, 1999}) {
    for (const std::int32_t out_size : {1, 5, 32, 224}) {
      Taps taps;
      taps.assign(
          {.in_size = in_size, .out_size = out_size, .count = out_size});
      const auto width = static_cast<std::size_t>(taps.taps());
      for (std::size_t i = 0; i < static_cast<std::size_t>(out_size); ++i) {
        EXPECT_GE(taps.begins()[i], 0);
        EXPECT_LE(taps.begins()[i] + taps.taps(), in_size);
        std::int64_t sum = 0;
        for (std::size_t k = 0; k < width; ++k) {
          sum += taps.weights()[i * width + k];
        }
        EXPECT_NEAR(
            static_cast<double>(sum),
            1 << kWeightBits,
            static_cast<double>(width));
      }
    }
  }
}

TEST(Taps, OfAMirroredAxisAreThoseOfTheAxisBackwards) {
  Taps plain;
  Taps mirrored;
  plain.assign({.in_size = 50, .out_size = 30, .count = 30});
  mirrored.assign(
      {.in_size = 50, .out_size = 30, .count = 30, .mirrored = true});
  ASSERT_EQ(plain.taps(), mirrored.taps());
  const auto width = static_cast<std::size_t>(plain.taps());
  for (std::size_t i = 0; i < 30; ++i) {
    EXPECT_EQ(plain.begins()[i], mirrored.begins()[29 - i]);
    for (std::size_t k = 0; k < width; ++k) {
      EXPECT_EQ(
          plain.weights()[i * width + k],
          mirrored.weights()[(29 - i) * width + k]);
    }
  }
}

// Three passes of the box spread a point with the variance of the Gaussian:
// that is what the box is chosen for.
TEST(BoxFilter, HasAThirdOfTheGaussiansVariance) {
  for (const float sigma : {0.1F, 0.7F, 1.5F, 2.0F, 6.0F}) {
    const BoxFilter box = box_for(sigma);
    constexpr double kOne = 1 << 24;
    double variance = 0;
    double total = box.near_weight / kOne;
    for (std::int32_t k = 1; k <= box.radius; ++k) {
      variance += 2.0 * k * k * box.near_weight / kOne;
      total += 2.0 * box.near_weight / kOne;
    }
    const double far = box.radius + 1.0;
    variance += 2.0 * far * far * box.far_weight / kOne;
    total += 2.0 * box.far_weight / kOne;
    EXPECT_NEAR(total, 1.0, 1e-5);
    EXPECT_NEAR(variance, double{sigma} * sigma / 3, 1e-4);
  }
}

/// One pass of the box over a line, edges extended.
std::vector<std::uint8_t> box_pass(
    const std::vector<std::uint8_t>& line,
    const BoxFilter& box) {
  const auto last = static_cast<std::int32_t>(line.size()) - 1;
  const auto at = [&](std::int32_t i) {
    return std::uint64_t{
        line[static_cast<std::size_t>(std::clamp(i, 0, last))]};
  };
  std::vector<std::uint8_t> out(line.size());
  for (std::int32_t i = 0; i <= last; ++i) {
    std::uint64_t near = 0;
    for (std::int32_t k = -box.radius; k <= box.radius; ++k) {
      near += at(i + k);
    }
    const std::uint64_t far = at(i - box.radius - 1) + at(i + box.radius + 1);
    const std::uint64_t sum = near * box.near_weight + far * box.far_weight;
    out[static_cast<std::size_t>(i)] =
        static_cast<std::uint8_t>((sum + (1U << 23U)) >> 24U);
  }
  return out;
}

/// Three passes over the line of `count` pixels, `step` bytes apart.
void blur_line(
    const BoxFilter& box,
    std::uint8_t* first,
    std::size_t count,
    std::size_t step) {
  std::vector<std::uint8_t> line(count);
  for (std::size_t i = 0; i < count; ++i) {
    line[i] = first[i * step];
  }
  for (int pass = 0; pass < 3; ++pass) {
    line = box_pass(line, box);
  }
  for (std::size_t i = 0; i < count; ++i) {
    first[i * step] = line[i];
  }
}

TEST(Blur, IsThreeRoundedPassesOfTheBoxInEitherDirection) {
  Random random(stream_key(1, "blur"));
  for (const std::size_t size : {1U, 2U, 31U, 32U, 67U}) {
    for (float sigma = 0.05F; sigma < 6; sigma *= 1.07F) {
      std::array<std::vector<std::uint8_t>, 3> levels;
      Planes planes;
      planes.size = size;
      for (std::size_t c = 0; c < 3; ++c) {
        levels[c].resize(size * size);
        for (std::uint8_t& level : levels[c]) {
          // Extremes, which sums could overflow at, are as likely as others.
          const std::uint32_t draw = random.below(512);
          level =
              static_cast<std::uint8_t>(draw < 256 ? draw : 255 * (draw % 2));
        }
        planes.plane[c] = levels[c].data();
      }
      auto expected = levels;
      const BoxFilter box = box_for(sigma);
      for (auto& plane : expected) {
        for (std::size_t i = 0; i < size; ++i) {
          blur_line(box, &plane[i * size], size, 1);
        }
        for (std::size_t i = 0; i < size; ++i) {
          blur_line(box, &plane[i], size, size);
        }
      }
      BlurScratch scratch;
      blur(sigma, /*channels=*/3, scratch, planes);
      ASSERT_EQ(levels, expected) << size << " pixels, sigma " << sigma;
    }
  }
}

}  // namespace
}  // namespace swavd::loader
