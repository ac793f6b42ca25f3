#pragma once

#include <cstdint>
#include <vector>

#include "dedup_free_loader/render/planes.h"

namespace swavd::loader {

/// Memory of one thread, kept from call to call.
struct BlurScratch {
  std::vector<std::uint8_t> memory;
};

/// A box filter with a fractional radius, in Pillow's fixed point.
struct BoxFilter {
  std::int32_t radius = 0;        ///< whole pixels
  std::uint32_t near_weight = 0;  ///< of the pixels within the radius, 2^-24
  std::uint32_t far_weight = 0;   ///< of the one pixel beyond, on either side
};

/// The box of which three passes approximate a Gaussian of `sigma` pixels
/// (Gwosdek et al., "Theoretical foundations of Gaussian convolution by
/// extended box filtering", SSVM 2011), computed in float32 as Pillow does.
[[nodiscard]] BoxFilter box_for(float sigma);

/// Pillow's GaussianBlur(sigma) on the first `channels` planes, in place:
/// three passes along x, then three along y, each rounded to uint8, edges
/// extended.
void blur(
    float sigma,
    int channels,
    BlurScratch& scratch,
    const Planes& planes);

}  // namespace swavd::loader
