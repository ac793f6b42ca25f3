#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "dedup_free_loader/image.h"
#include "tests/dedup_free_loader/golden.h"

namespace swavd::loader {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> golden_files() {
  std::vector<std::string> names;
  for (const auto& entry :
       fs::directory_iterator(testing::golden_folder() / "decode")) {
    if (entry.path().extension() != ".rgb") {
      names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

int largest_difference(const Image& a, const Image& b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  }
  return largest;
}

class DecodeGolden : public ::testing::TestWithParam<std::string> {};

// Both sides decode JPEG with libjpeg-turbo, yet its SIMD and plain code may
// round a chroma sample differently; the other formats leave no choice.
TEST_P(DecodeGolden, PixelsAreThoseOfPillow) {
  const fs::path path = testing::golden_folder() / "decode" / GetParam();
  const Image expected = testing::read_rgb(path.string() + ".rgb");
  ASSERT_GT(expected.width, 0);
  const auto decoded = decode_image(testing::read_bytes(path), {});
  ASSERT_TRUE(std::holds_alternative<Image>(decoded))
      << std::get<Rejection>(decoded).detail;
  const Image& image = std::get<Image>(decoded);
  EXPECT_EQ(image.width, expected.width);
  EXPECT_EQ(image.height, expected.height);
  ASSERT_EQ(image.rgb.size(), expected.rgb.size());
  const int tolerance = path.extension() == ".jpg" ? 1 : 0;
  EXPECT_LE(largest_difference(image, expected), tolerance);
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(
    Files,
    DecodeGolden,
    ::testing::ValuesIn(golden_files()),
    test_name);

TEST(DecodeGoldenSet, CoversEveryFormat) {
  std::set<std::string> kinds;
  for (const std::string& name : golden_files()) {
    kinds.insert(fs::path(name).extension().string());
  }
  EXPECT_EQ(
      kinds,
      (std::set<std::string>{
          ".avif", ".bmp", ".gif", ".jpg", ".png", ".tiff", ".webp"}));
}

}  // namespace
}  // namespace swavd::loader
