#include "trainer/model/multiply_adds.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/trainer/model/published_models.h"

namespace swavd::trainer {
namespace {

TEST(MultiplyAdds, CountsAStemAndABlockByHand) {
  // Widths 8 at 16 pixels behind a stem of 32 channels at 32.
  const TrunkDesign design = design_trunk(RegNetOptions{1, 8, 0, 2, 8}).value();
  const std::int64_t stem = 3 * 32 * 9 * 32 * 32;
  const std::int64_t block = 32 * 8 * 32 * 32       // 1x1
                             + 8 * 8 * 9 * 16 * 16  // 3x3, stride 2
                             + 2 * 8 * 8            // squeeze, excite
                             + 8 * 8 * 16 * 16      // 1x1
                             + 32 * 8 * 16 * 16;    // shortcut
  EXPECT_EQ(multiply_adds(design, 64), stem + block);
}

TEST(MultiplyAdds, CountsAGroupedConvolutionOnce) {
  RegNetOptions one{1, 16, 0, 2, 16};
  RegNetOptions two{1, 16, 0, 2, 8};
  const std::int64_t saved = 16 * 16 * 9 * 16 * 16 / 2;
  EXPECT_EQ(
      multiply_adds(design_trunk(one).value(), 64) -
          multiply_adds(design_trunk(two).value(), 64),
      saved);
}

// The figures that pycls and torchvision give at 224 pixels, in units of 10^9
// and to their precision.
TEST(MultiplyAdds, AreThePublishedOnes) {
  const auto giga = [](const TrunkOptions& options, std::int64_t size) {
    return static_cast<double>(
               multiply_adds(design_trunk(options).value(), size)) /
           1e9;
  };
  EXPECT_NEAR(giga(RegNetOptions{}, 224), .2, .005);
  EXPECT_NEAR(giga(RegNetOptions{17, 192, 76.82, 2.19, 56}, 224), 7.96, .01);
  EXPECT_NEAR(giga(RegNetOptions{20, 232, 115.89, 2.53, 232}, 224), 32.3, .05);
  EXPECT_NEAR(giga(ResNetOptions{}, 224), 4.09, .01);
}

}  // namespace
}  // namespace swavd::trainer
