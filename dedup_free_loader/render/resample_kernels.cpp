#include "dedup_free_loader/render/resample_kernels.h"

#include <algorithm>
#include <cstring>

#include "dedup_free_loader/render/clones.h"
#include "dedup_free_loader/render/taps.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace swavd::loader {

namespace {

constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);
constexpr int kHalfBits = kWeightBits / 2;

std::uint8_t to_level(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::min(sum >> kWeightBits, 255));
}

void resample_row_plain(
    const std::uint8_t* row,
    const RowTaps& columns,
    std::size_t count,
    std::uint8_t* out) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* pixel = row + columns.offsets[i];
    const std::int32_t* weights = columns.weights + i * columns.taps;
    std::int32_t red = kHalf;
    std::int32_t green = kHalf;
    std::int32_t blue = kHalf;
    for (std::size_t k = 0; k < columns.taps; ++k, pixel += 3) {
      red += pixel[0] * weights[k];
      green += pixel[1] * weights[k];
      blue += pixel[2] * weights[k];
    }
    out[i] = to_level(red);
    out[count + i] = to_level(green);
    out[2 * count + i] = to_level(blue);
  }
}

#if defined(__x86_64__)

/// The sums of two pixels, R, G, B and nothing, one in either half. `pixel` and
/// `next` point to their first taps, `halves` to their weights.
template <std::size_t kTaps>
SWAVD_AVX2 inline __m256i weigh_pixels(
    const std::uint8_t* pixel,
    const std::uint8_t* next,
    const std::int32_t* halves,
    std::size_t taps) {
  // Two neighbours become R R, G G, B B of 16 bits.
  const __m256i by_channel = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
  const std::size_t last = kTaps == 0 ? taps : kTaps;
  __m256i upper_sum = _mm256_setzero_si256();
  __m256i lower_sum = _mm256_set1_epi32(kHalf);
  const auto* weights = reinterpret_cast<const __m256i*>(halves);
  for (std::size_t k = 0; k < last; k += 2, weights += 2) {
    const __m256i packed = _mm256_set_m128i(
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(next + 3 * k)),
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(pixel + 3 * k)));
    const __m256i levels = _mm256_shuffle_epi8(packed, by_channel);
    upper_sum = _mm256_add_epi32(
        upper_sum, _mm256_madd_epi16(levels, _mm256_loadu_si256(weights)));
    lower_sum = _mm256_add_epi32(
        lower_sum, _mm256_madd_epi16(levels, _mm256_loadu_si256(weights + 1)));
  }
  const __m256i sum =
      _mm256_add_epi32(_mm256_slli_epi32(upper_sum, kHalfBits), lower_sum);
  return _mm256_srai_epi32(sum, kWeightBits);
}

template <std::size_t kTaps>
SWAVD_AVX2 void resample_row_avx2(
    const std::uint8_t* row,
    const RowTaps& columns,
    std::size_t count,
    std::uint8_t* out) {
  const std::size_t taps = kTaps == 0 ? columns.taps : kTaps;
  const std::size_t stride = (taps + 1) / 2 * 16;  // of two pixels' weights
  // Packing puts the pixels in the order 0, 2, 1, 3.
  const __m128i by_channel =
      _mm_setr_epi8(0, 8, 4, 12, 1, 9, 5, 13, 2, 10, 6, 14, 3, 11, 7, 15);
  const std::int32_t* halves = columns.halves;
  for (std::size_t i = 0; i < count; i += 4, halves += 2 * stride) {
    const std::int32_t* offsets = columns.offsets + i;
    const __m256i first =
        weigh_pixels<kTaps>(row + offsets[0], row + offsets[1], halves, taps);
    const __m256i second = weigh_pixels<kTaps>(
        row + offsets[2], row + offsets[3], halves + stride, taps);
    // Packing saturates, which is the clamp to 255.
    const __m256i words = _mm256_packs_epi32(first, second);
    const __m128i levels = _mm_packus_epi16(
        _mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    const __m128i sorted = _mm_shuffle_epi8(levels, by_channel);
    const std::int32_t red = _mm_cvtsi128_si32(sorted);
    const std::int32_t green = _mm_extract_epi32(sorted, 1);
    const std::int32_t blue = _mm_extract_epi32(sorted, 2);
    std::memcpy(out + i, &red, 4);
    std::memcpy(out + count + i, &green, 4);
    std::memcpy(out + 2 * count + i, &blue, 4);
  }
}

using RowFunction =
    void (*)(const std::uint8_t*, const RowTaps&, std::size_t, std::uint8_t*);

RowFunction avx2_function(std::size_t taps) {
  switch (taps) {
    case 1:
      return resample_row_avx2<1>;
    case 2:
      return resample_row_avx2<2>;
    case 3:
      return resample_row_avx2<3>;
    case 4:
      return resample_row_avx2<4>;
    case 5:
      return resample_row_avx2<5>;
    case 6:
      return resample_row_avx2<6>;
    default:
      return resample_row_avx2<0>;
  }
}

#endif

constexpr std::size_t kBlock = kRowSlack;

template <std::size_t kTaps>
SWAVD_INLINE void blend_fixed(
    const std::uint8_t* rows,
    std::size_t pitch,
    const std::int32_t* weights,
    std::uint8_t* out) {
  for (std::size_t i = 0; i < pitch; ++i) {
    std::int32_t sum = kHalf;
    for (std::size_t k = 0; k < kTaps; ++k) {
      sum += rows[k * pitch + i] * weights[k];
    }
    const std::int32_t level = sum >> kWeightBits;
    out[i] = static_cast<std::uint8_t>(level > 255 ? 255 : level);
  }
}

SWAVD_INLINE void blend_any(
    const std::uint8_t* rows,
    std::size_t pitch,
    std::span<const std::int32_t> weights,
    std::uint8_t* out) {
  for (std::size_t begin = 0; begin < pitch; begin += kBlock) {
    std::int32_t sums[kBlock];
    for (std::int32_t& sum : sums) {
      sum = kHalf;
    }
    const std::uint8_t* row = rows + begin;
    for (const std::int32_t weight : weights) {
      for (std::size_t i = 0; i < kBlock; ++i) {
        sums[i] += row[i] * weight;
      }
      row += pitch;
    }
    for (std::size_t i = 0; i < kBlock; ++i) {
      const std::int32_t level = sums[i] >> kWeightBits;
      out[begin + i] = static_cast<std::uint8_t>(level > 255 ? 255 : level);
    }
  }
}

}  // namespace

void halve_weights(
    const std::int32_t* weights,
    std::size_t count,
    std::size_t taps,
    std::vector<std::int32_t>& halves) {
  constexpr std::int32_t kLower = (1 << kHalfBits) - 1;
  const std::size_t pairs = (taps + 1) / 2;
  halves.resize(count * pairs * 8);
  std::int32_t* out = halves.data();
  for (std::size_t i = 0; i < count; i += 2) {
    for (std::size_t k = 0; k < taps; k += 2) {
      for (std::size_t pixel = 0; pixel < 2; ++pixel) {
        const std::int32_t* own = weights + (i + pixel) * taps;
        const std::int32_t left = own[k];
        const std::int32_t right = k + 1 < taps ? own[k + 1] : 0;
        std::int32_t* const upper = out + 4 * pixel;
        std::fill_n(upper, 4, (left >> kHalfBits) | (right >> kHalfBits) << 16);
        std::fill_n(upper + 8, 4, (left & kLower) | (right & kLower) << 16);
      }
      out += 16;
    }
  }
}

void resample_row(
    const std::uint8_t* row,
    const RowTaps& columns,
    std::size_t count,
    std::uint8_t* out) {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) {
    avx2_function(columns.taps)(row, columns, count, out);
    return;
  }
#endif
  resample_row_plain(row, columns, count, out);
}

SWAVD_CLONES void blend_rows(
    const std::uint8_t* rows,
    std::size_t pitch,
    std::span<const std::int32_t> weights,
    std::uint8_t* out) {
  switch (weights.size()) {
    case 1:
      blend_fixed<1>(rows, pitch, weights.data(), out);
      break;
    case 2:
      blend_fixed<2>(rows, pitch, weights.data(), out);
      break;
    case 3:
      blend_fixed<3>(rows, pitch, weights.data(), out);
      break;
    case 4:
      blend_fixed<4>(rows, pitch, weights.data(), out);
      break;
    default:
      blend_any(rows, pitch, weights, out);
      break;
  }
}

}  // namespace swavd::loader
