#include "ops/daemon/subsets.h"

#include <algorithm>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace swavd::daemon {
namespace {

using testing::ElementsAre;

/// `counts[c]` images of class c, the classes by turns as long as they last.
std::vector<std::int32_t> classes_of(std::vector<int> counts) {
  std::vector<std::int32_t> classes;
  for (bool more = true; more;) {
    more = false;
    for (std::size_t c = 0; c < counts.size(); ++c) {
      if (counts[c] > 0) {
        --counts[c];
        classes.push_back(static_cast<std::int32_t>(c));
        more = true;
      }
    }
  }
  return classes;
}

std::map<std::int32_t, int> histogram(
    const std::vector<std::int32_t>& classes,
    const std::vector<std::size_t>& places) {
  std::map<std::int32_t, int> counts;
  for (const std::size_t place : places) {
    ++counts[classes[place]];
  }
  return counts;
}

TEST(BalancedSubset, TakesEquallyManyOfEveryClassWhateverTheirSizes) {
  const auto classes = classes_of({500, 300, 200});
  const auto subset = balanced_subset(classes, 3, 0.1, 7);
  EXPECT_THAT(
      histogram(classes, subset),
      ElementsAre(std::pair(0, 33), std::pair(1, 33), std::pair(2, 33)));
  EXPECT_TRUE(std::is_sorted(subset.begin(), subset.end()));
  EXPECT_EQ(std::adjacent_find(subset.begin(), subset.end()), subset.end());
}

TEST(BalancedSubset, TakesOneOfEachClassAtLeastAndNoMoreThanThereAre) {
  const auto few = classes_of({50, 50});
  EXPECT_THAT(
      histogram(few, balanced_subset(few, 2, 0.001, 0)),
      ElementsAre(std::pair(0, 1), std::pair(1, 1)));
  const auto uneven = classes_of({90, 2});
  EXPECT_THAT(
      histogram(uneven, balanced_subset(uneven, 2, 0.1, 0)),
      ElementsAre(std::pair(0, 5), std::pair(1, 2)));
}

TEST(BalancedSubset, DependsOnTheSeedAlone) {
  const auto classes = classes_of({100, 100});
  const auto subset = balanced_subset(classes, 2, 0.1, 1);
  EXPECT_EQ(balanced_subset(classes, 2, 0.1, 1), subset);
  EXPECT_NE(balanced_subset(classes, 2, 0.1, 2), subset);
}

TEST(BalancedSubset, OfAllLabelsIsAllImages) {
  const auto classes = classes_of({10, 10});
  EXPECT_EQ(balanced_subset(classes, 2, 1.0, 0), all_places(20));
}

TEST(Spread, TakesEvenlyFromTheWholeList) {
  EXPECT_THAT(spread(all_places(10), 5), ElementsAre(0U, 2U, 4U, 6U, 8U));
  EXPECT_EQ(spread(all_places(10), 0), all_places(10));
  EXPECT_EQ(spread(all_places(10), 11), all_places(10));
}

TEST(Shuffled, IsAnotherPermutationInEveryEpochAndTheSameOnRepeat) {
  const auto first = shuffled(all_places(100), 3, 0);
  EXPECT_EQ(shuffled(all_places(100), 3, 0), first);
  EXPECT_NE(shuffled(all_places(100), 3, 1), first);
  EXPECT_NE(shuffled(all_places(100), 4, 0), first);
  auto sorted = first;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, all_places(100));
}

}  // namespace
}  // namespace swavd::daemon
