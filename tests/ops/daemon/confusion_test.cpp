#include "ops/daemon/confusion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace swavd::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Confusion, CountsEachAnswerUnderItsTrueClass) {
  const ConfusionTable table =
      confusion_table({"cat", "dog"}, {0, 0, 0, 1, 1}, {0, 1, 1, 1, 0});
  EXPECT_THAT(table.counts, ElementsAre(ElementsAre(1, 2), ElementsAre(1, 1)));
  EXPECT_EQ(
      to_text(table),
      "true \\ answer     0     1\n"
      "  0  cat          1     2\n"
      "  1  dog          1     1");
}

TEST(Confusion, OfManyClassesShowsTheCommonestMistakesFirst) {
  std::vector<std::string> names;
  for (int i = 0; i < 30; ++i) {
    names.push_back("class" + std::to_string(i));
  }
  const std::string text =
      to_text(confusion_table(names, {3, 4, 4, 5}, {4, 5, 5, 5}));
  EXPECT_THAT(text, HasSubstr("30 classes"));
  const auto two = text.find("2  class4 taken for class5");
  const auto one = text.find("1  class3 taken for class4");
  EXPECT_NE(two, std::string::npos) << text;
  EXPECT_LT(two, one) << text;
  EXPECT_EQ(text.find("class5 taken for class5"), std::string::npos) << text;
}

}  // namespace
}  // namespace swavd::daemon
