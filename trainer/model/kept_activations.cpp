#include "trainer/model/kept_activations.h"

#include <algorithm>
#include <numeric>

#include "trainer/model/map_side.h"

namespace swavd::trainer {

namespace {

/// What a block keeps; `side` is that of its input and becomes its output's.
std::int64_t block_activations(const BlockDesign& block, std::int64_t& side) {
  std::int64_t kept = 0;
  for (const ConvDesign& conv : block.convs) {
    side = side_behind(side, conv.shape.stride);
    // The convolution's output and the ReLU's: the last one's is the block's.
    kept += 2 * conv.shape.out * side * side;
  }
  const std::int64_t pixels = side * side;
  if (block.attention) {
    kept += block.attention->width * pixels;
  }
  if (block.shortcut) {
    kept += block.shortcut->shape.out * pixels;
  }
  return kept;
}

/// The ends of runs of which none sums up to more than `limit`, each as long
/// as it can be.
std::vector<std::size_t> runs_within(
    const std::vector<std::int64_t>& costs,
    std::int64_t limit) {
  std::vector<std::size_t> ends;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (sum + costs[i] > limit) {
      ends.push_back(i);
      sum = 0;
    }
    sum += costs[i];
  }
  ends.push_back(costs.size());
  return ends;
}

}  // namespace

std::vector<std::int64_t> kept_activations(
    const TrunkDesign& design,
    std::int64_t size) {
  std::int64_t side = side_behind(size, design.stem.shape.stride);
  // The convolution's output and the ReLU's; the pool's, too.
  std::int64_t stem = 2 * design.stem.shape.out * side * side;
  if (design.pooled_stem) {
    side = side_behind(side, kStemPoolStride);
    stem += design.stem.shape.out * side * side;
  }
  std::vector<std::int64_t> kept;
  for (const std::vector<BlockDesign>& blocks : design.stages) {
    for (const BlockDesign& block : blocks) {
      kept.push_back(block_activations(block, side));
    }
  }
  kept.front() += stem;
  return kept;
}

std::vector<std::int64_t> block_outputs(
    const TrunkDesign& design,
    std::int64_t size) {
  std::int64_t side = side_behind(size, design.stem.shape.stride);
  if (design.pooled_stem) {
    side = side_behind(side, kStemPoolStride);
  }
  std::vector<std::int64_t> outputs;
  for (const std::vector<BlockDesign>& blocks : design.stages) {
    for (const BlockDesign& block : blocks) {
      for (const ConvDesign& conv : block.convs) {
        side = side_behind(side, conv.shape.stride);
      }
      outputs.push_back(block.convs.back().shape.out * side * side);
    }
  }
  return outputs;
}

std::vector<std::size_t> checkpoint_ends(
    const TrunkDesign& design,
    std::int32_t groups) {
  if (groups < 2) {
    return {};
  }
  constexpr std::int64_t kAnySize = 224;  // the shares hardly depend on it
  const std::vector<std::int64_t> kept = kept_activations(design, kAnySize);
  std::int64_t low = *std::max_element(kept.begin(), kept.end());
  std::int64_t high =
      std::accumulate(kept.begin(), kept.end(), std::int64_t{0});
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (runs_within(kept, middle).size() <= static_cast<std::size_t>(groups)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  std::vector<std::size_t> ends = runs_within(kept, low);
  ends.pop_back();
  return ends;
}

}  // namespace swavd::trainer
