#include "trainer/model/kept_activations.h"

#include <algorithm>
#include <numeric>

namespace swavd::trainer {

namespace {

/// Side of a map behind a convolution of stride two.
std::int64_t halved(std::int64_t side) {
  return (side + 1) / 2;
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
    const RegNetDesign& design,
    std::int64_t size) {
  std::int64_t side = halved(size);
  // The convolution's output and the ReLU's.
  std::vector<std::int64_t> kept = {2 * design.stem_width * side * side};
  for (const StageDesign& stage : design.stages) {
    for (std::int64_t block = 0; block < stage.depth; ++block) {
      const bool first = block == 0;
      const std::int64_t in = side * side;
      side = first ? halved(side) : side;
      const std::int64_t out = side * side;
      // Of the 1x1 in front: convolution and ReLU. Then of the grouped one,
      // the excitation, the 1x1 behind, the block; perhaps the shortcut.
      kept.push_back(stage.width * (2 * in + (first ? 6 : 5) * out));
    }
  }
  const std::int64_t stem = kept.front();
  kept.erase(kept.begin());
  kept.front() += stem;
  return kept;
}

std::vector<std::int64_t> block_outputs(
    const RegNetDesign& design,
    std::int64_t size) {
  std::int64_t side = halved(size);
  std::vector<std::int64_t> outputs;
  for (const StageDesign& stage : design.stages) {
    side = halved(side);
    outputs.insert(
        outputs.end(),
        static_cast<std::size_t>(stage.depth),
        stage.width * side * side);
  }
  return outputs;
}

std::vector<std::size_t> checkpoint_ends(
    const RegNetDesign& design,
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
