#include "trainer/model/regnet_design.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace swavd::trainer {
namespace {

struct PublishedNet {
  std::string name;
  RegNetOptions options;
  std::vector<std::int64_t> widths;
  std::vector<std::int64_t> depths;
  std::vector<std::int64_t> groups;
};

RegNetOptions generator(
    std::int32_t depth,
    std::int32_t w0,
    double wa,
    double wm,
    std::int32_t gw) {
  RegNetOptions options;
  options.depth = depth;
  options.w0 = w0;
  options.wa = wa;
  options.wm = wm;
  options.group_width = gw;
  return options;
}

// Widths of ClassyVision and pycls, which SEER used; group counts where they
// are published.
const PublishedNet kPublished[] = {
    {"200MF",
     generator(13, 24, 36.44, 2.49, 8),
     {24, 56, 152, 368},
     {1, 1, 4, 7},
     {3, 7, 19, 46}},
    {"400MF",
     generator(16, 48, 27.89, 2.09, 8),
     {48, 104, 208, 440},
     {1, 3, 6, 6},
     {6, 13, 26, 55}},
    {"800MF",
     generator(14, 56, 38.84, 2.4, 16),
     {64, 128, 320, 768},
     {1, 3, 8, 2},
     {4, 8, 20, 48}},
    {"8GF",
     generator(17, 192, 76.82, 2.19, 56),
     {168, 448, 896, 2016},
     {2, 4, 10, 1},
     {3, 8, 16, 36}},
    {"16GF",
     generator(18, 200, 106.23, 2.48, 112),
     {224, 448, 1232, 3024},
     {2, 4, 11, 1},
     {2, 4, 11, 27}},
    {"32GF",
     generator(20, 232, 115.89, 2.53, 232),
     {232, 696, 1392, 3712},
     {2, 5, 12, 1},
     {1, 3, 6, 16}},
    {"64GF",
     generator(20, 352, 147.48, 2.4, 328),
     {328, 984, 1968, 4920},
     {2, 5, 12, 1},
     {1, 3, 6, 15}},
    {"128GF",
     generator(27, 456, 160.83, 2.52, 264),
     {528, 1056, 2904, 7392},
     {2, 7, 17, 1},
     {2, 4, 11, 28}},
    {"256GF",
     generator(27, 640, 230.83, 2.53, 373),
     {746, 1492, 4103, 10444},
     {2, 7, 17, 1},
     {2, 4, 11, 28}},
    {"10B",
     generator(27, 1744, 620.83, 2.52, 1010),
     {2020, 4040, 11110, 28280},
     {2, 7, 17, 1},
     {2, 4, 11, 28}},
};

TEST(RegNetDesign, GivesThePublishedWidthsDepthsAndGroups) {
  for (const PublishedNet& net : kPublished) {
    const Result<RegNetDesign> design = design_regnet(net.options);
    ASSERT_TRUE(design.ok()) << net.name;
    std::vector<std::int64_t> widths;
    std::vector<std::int64_t> depths;
    std::vector<std::int64_t> groups;
    for (const StageDesign& stage : design.value().stages) {
      widths.push_back(stage.width);
      depths.push_back(stage.depth);
      groups.push_back(stage.width / stage.group_width);
    }
    EXPECT_EQ(widths, net.widths) << net.name;
    EXPECT_EQ(depths, net.depths) << net.name;
    EXPECT_EQ(groups, net.groups) << net.name;
  }
}

TEST(RegNetDesign, AStageNarrowerThanTheGroupWidthHasOneGroup) {
  // ClassyVision's own "256GF": 640 channels, group width 848.
  const Result<RegNetDesign> design =
      design_regnet(generator(27, 640, 124.47, 2.04, 848));
  ASSERT_TRUE(design.ok());
  EXPECT_EQ(design.value().stages.front(), (StageDesign{3, 640, 640}));
}

TEST(RegNetDesign, RoundsSqueezedWidthsHalfToEven) {
  EXPECT_EQ(se_width(746, 0.25), 186);     // 186.5
  EXPECT_EQ(se_width(11110, 0.25), 2778);  // 2777.5
  EXPECT_EQ(se_width(32, 0.25), 8);
}

TEST(RegNetDesign, NamesTheOptionThatIsOutOfRange) {
  const auto message = [](const RegNetOptions& options) {
    const Result<RegNetDesign> design = design_regnet(options);
    return design.ok() ? "ok" : design.error().message;
  };
  EXPECT_EQ(
      message(generator(0, 24, 1, 2, 8)),
      "trunk option depth must be at least 1, is 0");
  EXPECT_EQ(
      message(generator(1, 20, 1, 2, 8)),
      "trunk option w0 must be a positive multiple of 8, is 20");
  EXPECT_EQ(
      message(generator(1, 24, -1, 2, 8)),
      "trunk option wa must be at least 0, is -1");
  EXPECT_EQ(
      message(generator(1, 24, 1, 1, 8)),
      "trunk option wm must be above 1, is 1");
  EXPECT_EQ(
      message(generator(1, 24, 1, 2, 0)),
      "trunk option group_width must be at least 1, is 0");
}

}  // namespace
}  // namespace swavd::trainer
