#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dedup_free_loader/crop_plan.h"
#include "ops/base/check.h"
#include "tests/dedup_free_loader/golden.h"

namespace swavd::loader {
namespace {

/// Leaves the levels as they are, but for the division by 255.
AugmentOptions levels_only() {
  AugmentOptions augment;
  augment.mean = {0, 0, 0};
  augment.std = {1, 1, 1};
  return augment;
}

ByteVector to_levels(const std::vector<float>& values) {
  ByteVector levels;
  levels.reserve(values.size());
  for (const float value : values) {
    levels.push_back(static_cast<std::uint8_t>(std::lround(value * 255.0F)));
  }
  return levels;
}

int largest_difference(const ByteVector& a, Bytes b) {
  int largest = a.size() == b.size() ? 0 : 256;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]));
  }
  return largest;
}

JitterOp op_of(char letter) {
  switch (letter) {
    case 'b':
      return JitterOp::kBrightness;
    case 'c':
      return JitterOp::kContrast;
    case 's':
      return JitterOp::kSaturation;
    default:
      return JitterOp::kHue;
  }
}

/// Reads a line of crops.txt: box, size, flip, order, factors, grey, blur.
bool read_plan(std::istream& in, CropPlan& plan, std::string& order) {
  in >> plan.x >> plan.y >> plan.width >> plan.height >> plan.size >>
      plan.flip >> order >> plan.brightness >> plan.contrast >>
      plan.saturation >> plan.hue >> plan.gray >> plan.blur_sigma;
  return static_cast<bool>(in);
}

ByteVector rendered(const Image& source, const CropPlan& plan) {
  const auto side = static_cast<std::size_t>(plan.size);
  std::vector<float> out(side * side * 3);
  CpuRenderer().render(source, plan, levels_only(), out.data());
  return to_levels(out);
}

/// Takes the next picture of `size` pixels a side from `rest`.
Bytes next_picture(Bytes& rest, std::int32_t size) {
  const auto side = static_cast<std::size_t>(size);
  const Bytes picture = rest.first(std::min(side * side * 3, rest.size()));
  rest = rest.subspan(picture.size());
  return picture;
}

TEST(RenderGolden, CropsAreThoseOfPillowAndTorchvision) {
  const auto folder = testing::golden_folder() / "render";
  const Image source = testing::read_rgb(folder / "source.rgb");
  const ByteVector expected = testing::read_bytes(folder / "crops.rgb");
  Bytes rest(expected);
  std::ifstream cases(folder / "crops.txt");
  CropPlan plan;
  std::string order;
  int count = 0;
  while (read_plan(cases, plan, order)) {
    SCOPED_TRACE("crops.txt, line " + std::to_string(++count));
    const Bytes picture = next_picture(rest, plan.size);
    plan.jitter = order != "-";
    if (plan.jitter) {
      ASSERT_EQ(order.size(), plan.jitter_order.size());
      std::transform(
          order.begin(), order.end(), plan.jitter_order.begin(), op_of);
    }
    // The bound that crop_plan.h states is one level; all these are equal.
    EXPECT_EQ(largest_difference(rendered(source, plan), picture), 0);
  }
  EXPECT_TRUE(rest.empty());
  EXPECT_GT(count, 60);
}

TEST(RenderGolden, CropsOfAScaledPictureAreThoseOfPillowsBoxes) {
  const auto folder = testing::golden_folder() / "render";
  Image source = testing::read_rgb(folder / "source.rgb");
  const ByteVector expected = testing::read_bytes(folder / "boxes.rgb");
  Bytes rest(expected);
  std::ifstream cases(folder / "boxes.txt");
  CropPlan plan;
  int count = 0;
  while (cases >> source.denominator >> plan.x >> plan.y >> plan.width >>
         plan.height >> plan.size >> plan.flip) {
    SCOPED_TRACE("boxes.txt, line " + std::to_string(++count));
    const Bytes picture = next_picture(rest, plan.size);
    EXPECT_EQ(largest_difference(rendered(source, plan), picture), 0);
  }
  EXPECT_TRUE(rest.empty());
  EXPECT_GT(count, 30);
}

TEST(RenderGolden, EvaluationViewsAreThoseOfTransformers) {
  const auto folder = testing::golden_folder() / "render";
  const Image source = testing::read_rgb(folder / "source.rgb");
  const ByteVector expected = testing::read_bytes(folder / "centers.rgb");
  Bytes rest(expected);
  std::ifstream cases(folder / "centers.txt");
  std::int32_t left = 0;
  std::int32_t top = 0;
  std::int32_t right = 0;
  std::int32_t bottom = 0;
  std::int32_t resize = 0;
  std::int32_t size = 0;
  int count = 0;
  while (cases >> left >> top >> right >> bottom >> resize >> size) {
    SCOPED_TRACE("centers.txt, line " + std::to_string(++count));
    Image part;
    part.width = right - left;
    part.height = bottom - top;
    for (std::int32_t y = top; y < bottom; ++y) {
      const auto row = source.rgb.begin() + 3L * (y * source.width + left);
      part.rgb.insert(part.rgb.end(), row, row + 3L * part.width);
    }
    const auto side = static_cast<std::size_t>(size);
    std::vector<float> out(side * side * 3);
    render_center(part, resize, size, levels_only(), out.data());
    EXPECT_EQ(largest_difference(to_levels(out), next_picture(rest, size)), 0);
  }
  EXPECT_TRUE(rest.empty());
  EXPECT_GT(count, 5);
}

TEST(RenderCenter, NormalisesAsTransformersDoes) {
  Image image;
  image.width = image.height = 16;
  for (int level = 0; level < 256; ++level) {
    image.rgb.insert(image.rgb.end(), 3, static_cast<std::uint8_t>(level));
  }
  const AugmentOptions augment;
  std::vector<float> out(256 * 3);
  render_center(image, 16, 16, augment, out.data());
  for (std::size_t i = 0; i < out.size(); ++i) {
    // rescale: float64 product, rounded; normalize: float32 throughout.
    const auto share =
        static_cast<float>(static_cast<double>(i / 3) * 0.00392156862745098);
    const auto mean = static_cast<float>(augment.mean[i % 3]);
    const auto std = static_cast<float>(augment.std[i % 3]);
    ASSERT_EQ(out[i], (share - mean) / std);
  }
}

TEST(RenderCenter, AnExtremelyLongPictureCostsOnlyItsMiddle) {
  Image image;
  image.width = 2'000'000;
  image.height = 1;
  image.rgb.assign(std::size_t{3} * 2'000'000, 77);
  std::vector<float> out(std::size_t{3} * 64 * 64);
  render_center(image, 256, 64, levels_only(), out.data());
  EXPECT_EQ(to_levels(out), ByteVector(out.size(), 77));
}

TEST(CpuRenderer, APlanOfAnotherSizeLeavesNothingBehind) {
  const Image source =
      testing::read_rgb(testing::golden_folder() / "render/source.rgb");
  CropPlan small;
  small.size = 13;
  small.width = 40;
  small.height = 30;
  small.blur_sigma = 1.5F;
  CropPlan large = small;
  large.size = 49;
  large.gray = true;
  const ByteVector before = rendered(source, small);
  const ByteVector between = rendered(source, large);
  EXPECT_EQ(rendered(source, small), before);
  EXPECT_EQ(rendered(source, large), between);
}

/// A page behind which there is nothing to be read.
class GuardedPage {
 public:
  GuardedPage()
      : size_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
        pages_(::mmap(
            nullptr,
            2 * size_,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS,
            -1,
            0)) {
    SWAVD_CHECK(pages_ != MAP_FAILED);
    SWAVD_CHECK(::mprotect(end(), size_, PROT_NONE) == 0);
  }

  GuardedPage(const GuardedPage&) = delete;
  GuardedPage& operator=(const GuardedPage&) = delete;

  ~GuardedPage() { ::munmap(pages_, 2 * size_); }

  [[nodiscard]] std::uint8_t* end() const {
    return static_cast<std::uint8_t*>(pages_) + size_;
  }

 private:
  std::size_t size_;
  void* pages_;
};

TEST(CpuRenderer, ReadsNothingBehindThePicture) {
  const GuardedPage page;
  for (std::int32_t width = 1; width <= 9; ++width) {
    for (std::int32_t height = 1; height <= 9; ++height) {
      ImageView image;
      image.width = width;
      image.height = height;
      std::uint8_t* const first = page.end() - 3L * width * height;
      std::fill(first, page.end(), std::uint8_t{99});
      image.rgb = first;
      CropPlan plan;
      plan.size = 4;
      plan.width = width;
      plan.height = height;
      std::vector<float> out(4 * 4 * 3);
      CpuRenderer().render(image, plan, levels_only(), out.data());
      EXPECT_EQ(to_levels(out), ByteVector(out.size(), 99));
    }
  }
}

}  // namespace
}  // namespace swavd::loader
