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

#define SWAVD_AVX2 __attribute__((target("avx2")))

/// One pixel's sums in the lowest three lanes. `kTaps` 0: read `taps`.
template <std::size_t kTaps>
SWAVD_AVX2 inline __m128i weigh_pixel(
    const std::uint8_t* pixel,
    const std::int32_t* weights,
    std::size_t taps) {
  const std::size_t last = kTaps == 0 ? taps : kTaps;
  __m128i sum = _mm_set1_epi32(kHalf);
  for (std::size_t k = 0; k < last; ++k) {
    std::int32_t packed = 0;  // R, G, B and a byte that is not used
    std::memcpy(&packed, pixel + 3 * k, sizeof(packed));
    const __m128i levels = _mm_cvtepu8_epi32(_mm_cvtsi32_si128(packed));
    sum =
        _mm_add_epi32(sum, _mm_mullo_epi32(levels, _mm_set1_epi32(weights[k])));
  }
  return _mm_srai_epi32(sum, kWeightBits);
}

template <std::size_t kTaps>
SWAVD_AVX2 void resample_row_avx2(
    const std::uint8_t* row,
    const RowTaps& columns,
    std::size_t count,
    std::uint8_t* out) {
  const std::size_t taps = kTaps == 0 ? columns.taps : kTaps;
  const __m128i by_channel =
      _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (std::size_t i = 0; i < count; i += 4) {
    const std::int32_t* offsets = columns.offsets + i;
    const std::int32_t* weights = columns.weights + i * taps;
    const auto pixel = [&](std::size_t j) SWAVD_AVX2 {
      return weigh_pixel<kTaps>(row + offsets[j], weights + j * taps, taps);
    };
    // Packing saturates, which is the clamp to 255.
    const __m128i levels = _mm_packus_epi16(
        _mm_packs_epi32(pixel(0), pixel(1)),
        _mm_packs_epi32(pixel(2), pixel(3)));
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
