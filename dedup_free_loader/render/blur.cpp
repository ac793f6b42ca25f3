#include "dedup_free_loader/render/blur.h"

#include <cmath>
#include <cstddef>
#include <cstring>
#include <utility>

#include "dedup_free_loader/render/clones.h"
#include "dedup_free_loader/render/resample_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace swavd::loader {

namespace {

constexpr int kPasses = 3;
constexpr std::uint32_t kRounding = 1U << 23U;

/// One pass over `count` bytes whose neighbours are `step` bytes apart.
template <std::ptrdiff_t kRadius>
SWAVD_INLINE void box_pass_fixed(
    const std::uint8_t* __restrict in,
    std::ptrdiff_t step,
    const BoxFilter& box,
    std::size_t count,
    std::uint8_t* __restrict out) {
  const std::uint32_t near_weight = box.near_weight;
  const std::uint32_t far_weight = box.far_weight;
  const std::uint8_t* before = in - (kRadius + 1) * step;
  const std::uint8_t* behind = in + (kRadius + 1) * step;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t near = in[i];
    for (std::ptrdiff_t k = 1; k <= kRadius; ++k) {
      near +=
          static_cast<std::uint32_t>((in - k * step)[i] + (in + k * step)[i]);
    }
    const auto far = static_cast<std::uint32_t>(before[i] + behind[i]);
    out[i] = static_cast<std::uint8_t>(
        (near * near_weight + far * far_weight + kRounding) >> 24U);
  }
}

SWAVD_INLINE void box_pass_any(
    const std::uint8_t* __restrict in,
    std::ptrdiff_t step,
    const BoxFilter& box,
    std::size_t count,
    std::uint8_t* __restrict out) {
  const std::ptrdiff_t radius = box.radius;
  for (std::size_t begin = 0; begin < count; begin += kRowSlack) {
    const std::uint8_t* middle = in + begin;
    std::uint32_t near[kRowSlack] = {};
    for (std::ptrdiff_t k = -radius; k <= radius; ++k) {
      for (std::size_t i = 0; i < kRowSlack; ++i) {
        near[i] += (middle + k * step)[i];
      }
    }
    const std::uint8_t* before = middle - (radius + 1) * step;
    const std::uint8_t* behind = middle + (radius + 1) * step;
    for (std::size_t i = 0; i < kRowSlack; ++i) {
      const auto far = static_cast<std::uint32_t>(before[i] + behind[i]);
      out[begin + i] = static_cast<std::uint8_t>(
          (near[i] * box.near_weight + far * box.far_weight + kRounding) >>
          24U);
    }
  }
}

#if defined(__x86_64__)

/// 16 bits: the first of each pair, then the second.
SWAVD_AVX2 inline __m256i pairs_of(std::uint32_t first, std::uint32_t second) {
  return _mm256_set1_epi32(static_cast<std::int32_t>(first | second << 16U));
}

SWAVD_AVX2 inline __m256i load(const std::uint8_t* bytes) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
}

/// Weights of 24 bits in two halves of 12, which a multiplication of 16 bits
/// takes for near and far at once: exact all the same.
struct HalvedWeights {
  __m256i upper;
  __m256i lower;

  SWAVD_AVX2 explicit HalvedWeights(const BoxFilter& box)
      : upper(pairs_of(
            box.near_weight >> kHalfBits,
            box.far_weight >> kHalfBits)),
        lower(pairs_of(
            box.near_weight & kLowerHalf,
            box.far_weight & kLowerHalf)) {}

  /// The sums of 16 pixels as 16 bits, rounded; the order is that of
  /// `unpacklo` and `unpackhi`, undone by `packus`.
  [[nodiscard]] SWAVD_AVX2 __m256i weigh(__m256i near, __m256i far) const {
    return _mm256_packus_epi32(
        weigh_pairs(_mm256_unpacklo_epi16(near, far)),
        weigh_pairs(_mm256_unpackhi_epi16(near, far)));
  }

 private:
  static constexpr unsigned kHalfBits = 12;
  static constexpr std::uint32_t kLowerHalf = (1U << kHalfBits) - 1;

  [[nodiscard]] SWAVD_AVX2 __m256i weigh_pairs(__m256i pairs) const {
    const __m256i rounding =
        _mm256_set1_epi32(static_cast<std::int32_t>(kRounding));
    const __m256i upper_sum = _mm256_madd_epi16(pairs, upper);
    const __m256i lower_sum =
        _mm256_add_epi32(_mm256_madd_epi16(pairs, lower), rounding);
    const __m256i sum =
        _mm256_add_epi32(_mm256_slli_epi32(upper_sum, kHalfBits), lower_sum);
    return _mm256_srli_epi32(sum, 24);
  }
};

/// As `box_pass_fixed`, 32 bytes at a time.
template <std::ptrdiff_t kRadius>
SWAVD_AVX2 void box_pass_avx2(
    const std::uint8_t* __restrict in,
    std::ptrdiff_t step,
    const BoxFilter& box,
    std::size_t count,
    std::uint8_t* __restrict out) {
  const HalvedWeights weights(box);
  const __m256i zero = _mm256_setzero_si256();
  const __m256i ones = _mm256_set1_epi8(1);
  const std::ptrdiff_t beyond = (kRadius + 1) * step;
  for (std::size_t i = 0; i < count; i += sizeof(__m256i)) {
    const std::uint8_t* pixel = in + i;
    const __m256i middle = load(pixel);
    __m256i near_low = _mm256_unpacklo_epi8(middle, zero);
    __m256i near_high = _mm256_unpackhi_epi8(middle, zero);
    for (std::ptrdiff_t k = 1; k <= kRadius; ++k) {
      const __m256i before = load(pixel - k * step);
      const __m256i behind = load(pixel + k * step);
      near_low = _mm256_add_epi16(
          near_low,
          _mm256_maddubs_epi16(_mm256_unpacklo_epi8(before, behind), ones));
      near_high = _mm256_add_epi16(
          near_high,
          _mm256_maddubs_epi16(_mm256_unpackhi_epi8(before, behind), ones));
    }
    const __m256i before = load(pixel - beyond);
    const __m256i behind = load(pixel + beyond);
    const __m256i far_low =
        _mm256_maddubs_epi16(_mm256_unpacklo_epi8(before, behind), ones);
    const __m256i far_high =
        _mm256_maddubs_epi16(_mm256_unpackhi_epi8(before, behind), ones);
    _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(out + i),
        _mm256_packus_epi16(
            weights.weigh(near_low, far_low),
            weights.weigh(near_high, far_high)));
  }
}

#endif

/// `count` is a multiple of `kRowSlack`.
SWAVD_CLONES void box_pass_plain(
    const std::uint8_t* in,
    std::ptrdiff_t step,
    const BoxFilter& box,
    std::size_t count,
    std::uint8_t* out) {
  switch (box.radius) {
    case 0:
      box_pass_fixed<0>(in, step, box, count, out);
      break;
    case 1:
      box_pass_fixed<1>(in, step, box, count, out);
      break;
    default:
      box_pass_any(in, step, box, count, out);
      break;
  }
}

/// `count` is a multiple of `kRowSlack`.
void box_pass(
    const std::uint8_t* in,
    std::ptrdiff_t step,
    const BoxFilter& box,
    std::size_t count,
    std::uint8_t* out) {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2 && box.radius <= 1) {
    const auto pass = box.radius == 0 ? box_pass_avx2<0> : box_pass_avx2<1>;
    pass(in, step, box, count, out);
    return;
  }
#endif
  box_pass_plain(in, step, box, count, out);
}

/// How the planes lie in the scratch memory: the channels' rows side by side,
/// with a margin around every row, and margin rows above and below. So a pass,
/// along x or along y, is one loop over everything; what it writes into the
/// margins is junk and replaced before the next pass.
struct Layout {
  std::size_t size;      // pixels along a side
  std::size_t channels;  // rows side by side
  std::size_t margin;    // pixels
  std::size_t row;       // bytes of a channel's row with its margins
  std::size_t pitch;     // bytes from one line to the next
  std::size_t first;     // byte of the first line
  std::size_t bytes;     // of all lines, rounded up for the loops
  std::size_t total;     // bytes of memory

  Layout(std::size_t size_px, std::size_t channel_count, std::size_t margin_px)
      : size(size_px),
        channels(channel_count),
        margin(margin_px),
        row(size + 2 * margin),
        pitch(row * channels),
        first(margin * pitch + margin),
        bytes(round_up(size * pitch, kRowSlack)),
        total(first + bytes + margin * pitch + margin) {}

  [[nodiscard]] std::size_t at(std::size_t line, std::size_t channel) const {
    return first + line * pitch + channel * row + margin;
  }
};

/// Repeats every row's first and last pixel in its margins.
void extend_rows(const Layout& layout, std::uint8_t* memory) {
  for (std::size_t y = 0; y < layout.size; ++y) {
    for (std::size_t c = 0; c < layout.channels; ++c) {
      std::uint8_t* row = memory + layout.at(y, c);
      const std::uint8_t left = row[0];
      const std::uint8_t right = row[layout.size - 1];
      for (std::size_t i = 1; i <= layout.margin; ++i) {
        *(row - i) = left;
        row[layout.size - 1 + i] = right;
      }
    }
  }
}

/// Repeats the first and the last line above and below.
void extend_lines(const Layout& layout, std::uint8_t* memory) {
  std::uint8_t* top = memory + layout.first;
  std::uint8_t* bottom = top + (layout.size - 1) * layout.pitch;
  for (std::size_t i = 1; i <= layout.margin; ++i) {
    std::memcpy(top - i * layout.pitch, top, layout.pitch);
    std::memcpy(bottom + i * layout.pitch, bottom, layout.pitch);
  }
}

enum class Direction { kIn, kOut };

void copy_planes(
    const Planes& planes,
    const Layout& layout,
    Direction direction,
    std::uint8_t* memory) {
  for (std::size_t y = 0; y < layout.size; ++y) {
    for (std::size_t c = 0; c < layout.channels; ++c) {
      std::uint8_t* row = memory + layout.at(y, c);
      std::uint8_t* plane = planes.plane[c] + y * layout.size;
      if (direction == Direction::kIn) {
        std::memcpy(row, plane, layout.size);
      } else {
        std::memcpy(plane, row, layout.size);
      }
    }
  }
}

}  // namespace

BoxFilter box_for(float sigma) {
  const float variance = sigma * sigma / kPasses;
  const auto length =
      static_cast<float>(std::sqrt(12.0 * static_cast<double>(variance) + 1.0));
  const auto whole =
      static_cast<float>(std::floor((static_cast<double>(length) - 1.0) / 2.0));
  float part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  part /= 6 * (variance - (whole + 1) * (whole + 1));
  const float radius = whole + part;

  constexpr std::uint32_t kOne = 1U << 24U;
  BoxFilter box;
  box.radius = static_cast<std::int32_t>(radius);
  box.near_weight =
      static_cast<std::uint32_t>(static_cast<float>(kOne) / (radius * 2 + 1));
  const auto width = static_cast<std::uint32_t>(box.radius * 2 + 1);
  box.far_weight = (kOne - width * box.near_weight) / 2;
  return box;
}

void blur(
    float sigma,
    int channels,
    BlurScratch& scratch,
    const Planes& planes) {
  const BoxFilter box = box_for(sigma);
  const Layout layout(
      planes.size,
      static_cast<std::size_t>(channels),
      static_cast<std::size_t>(box.radius) + 1);
  // Half a page out of step: a store and a load whose addresses agree in the
  // lowest 12 bits wait for each other.
  const std::size_t half = round_up(layout.total, 4096) + 2048;
  scratch.memory.resize(half + layout.total);
  std::uint8_t* from = scratch.memory.data();
  std::uint8_t* to = from + half;
  copy_planes(planes, layout, Direction::kIn, from);
  const std::size_t first = layout.first;
  for (int pass = 0; pass < kPasses; ++pass) {
    extend_rows(layout, from);
    box_pass(from + first, /*step=*/1, box, layout.bytes, to + first);
    std::swap(from, to);
  }
  const auto pitch = static_cast<std::ptrdiff_t>(layout.pitch);
  for (int pass = 0; pass < kPasses; ++pass) {
    extend_lines(layout, from);
    box_pass(from + first, pitch, box, layout.bytes, to + first);
    std::swap(from, to);
  }
  copy_planes(planes, layout, Direction::kOut, from);
}

}  // namespace swavd::loader
