#include "trainer/model/multiply_adds.h"

#include "trainer/model/map_side.h"

namespace swavd::trainer {

namespace {

/// Of a convolution that gives maps of `side` x `side`.
std::int64_t conv_multiply_adds(const ConvShape& conv, std::int64_t side) {
  return conv.in / conv.groups * conv.out * conv.kernel * conv.kernel * side *
         side;
}

/// `side` is that of the block's input and becomes its output's.
std::int64_t block_multiply_adds(const BlockDesign& block, std::int64_t& side) {
  std::int64_t sum = 0;
  for (const ConvDesign& conv : block.convs) {
    side = side_behind(side, conv.shape.stride);
    sum += conv_multiply_adds(conv.shape, side);
  }
  if (block.attention) {
    sum += 2 * block.attention->width * block.attention->squeezed;
  }
  if (block.shortcut) {
    sum += conv_multiply_adds(block.shortcut->shape, side);
  }
  return sum;
}

}  // namespace

std::int64_t multiply_adds(const TrunkDesign& design, std::int64_t size) {
  std::int64_t side = side_behind(size, design.stem.shape.stride);
  std::int64_t sum = conv_multiply_adds(design.stem.shape, side);
  if (design.pooled_stem) {
    side = side_behind(side, kStemPoolStride);
  }
  for (const std::vector<BlockDesign>& blocks : design.stages) {
    for (const BlockDesign& block : blocks) {
      sum += block_multiply_adds(block, side);
    }
  }
  return sum;
}

}  // namespace swavd::trainer
