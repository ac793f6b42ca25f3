#include "ops/daemon/subsets.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "ops/base/philox.h"

namespace swavd::daemon {

namespace {

/// Fisher-Yates.
void shuffle(std::vector<std::size_t>& places, Random random) {
  for (std::size_t i = places.size(); i > 1; --i) {
    const auto other = random.below(static_cast<std::uint32_t>(i));
    std::swap(places[i - 1], places[other]);
  }
}

}  // namespace

std::vector<std::size_t> all_places(std::size_t count) {
  std::vector<std::size_t> places(count);
  std::iota(places.begin(), places.end(), std::size_t{0});
  return places;
}

std::vector<std::size_t> spread(
    const std::vector<std::size_t>& places,
    std::uint64_t most) {
  const std::size_t count = places.size();
  if (most == 0 || most >= count) {
    return places;
  }
  std::vector<std::size_t> some(static_cast<std::size_t>(most));
  for (std::size_t i = 0; i < some.size(); ++i) {
    some[i] = places[i * count / some.size()];
  }
  return some;
}

std::vector<std::size_t> shuffled(
    std::vector<std::size_t> places,
    std::uint64_t seed,
    std::uint64_t epoch) {
  shuffle(places, Random(stream_key(seed, "eval/order"), epoch));
  return places;
}

std::vector<std::size_t> balanced_subset(
    const std::vector<std::int32_t>& classes,
    std::int32_t class_count,
    double fraction,
    std::uint64_t seed) {
  std::vector<std::vector<std::size_t>> of_class(
      static_cast<std::size_t>(class_count));
  for (std::size_t place = 0; place < classes.size(); ++place) {
    of_class[static_cast<std::size_t>(classes[place])].push_back(place);
  }
  const double share =
      fraction * static_cast<double>(classes.size()) / class_count;
  const auto each =
      static_cast<std::size_t>(std::max(1.0, std::nearbyint(share)));
  std::vector<std::size_t> subset;
  for (std::size_t c = 0; c < of_class.size(); ++c) {
    std::vector<std::size_t>& places = of_class[c];
    shuffle(places, Random(stream_key(seed, "eval/subset"), c));
    places.resize(std::min(each, places.size()));
    subset.insert(subset.end(), places.begin(), places.end());
  }
  std::sort(subset.begin(), subset.end());
  return subset;
}

}  // namespace swavd::daemon
