#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "dedup_free_loader/image.h"
#include "tests/dedup_free_loader/golden.h"

namespace swavd::loader {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> all_golden_files() {
  std::vector<fs::path> files;
  for (const char* folder : testing::kGoldenFolders) {
    const auto more = testing::golden_files(folder);
    files.insert(files.end(), more.begin(), more.end());
  }
  return files;
}

std::string folder_of(const fs::path& file) {
  return file.parent_path().filename().string();
}

int largest_difference(const Image& a, const Image& b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) {
    largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  }
  return largest;
}

class DecodeGolden : public ::testing::TestWithParam<fs::path> {};

// Both sides decode JPEG with libjpeg-turbo, yet its SIMD and plain code may
// round a chroma sample differently; the other formats leave no choice.
TEST_P(DecodeGolden, PixelsAreThoseOfPillow) {
  const fs::path& path = GetParam();
  const Image expected = testing::read_rgb(path.string() + ".rgb");
  ASSERT_GT(expected.width, 0);
  const auto decoded = decode_image(
      testing::read_bytes(path), testing::golden_options(folder_of(path)));
  ASSERT_TRUE(std::holds_alternative<Image>(decoded))
      << std::get<Rejection>(decoded).detail;
  const Image& image = std::get<Image>(decoded);
  EXPECT_EQ(image.width, expected.width);
  EXPECT_EQ(image.height, expected.height);
  ASSERT_EQ(image.rgb.size(), expected.rgb.size());
  const int tolerance = path.extension() == ".jpg" ? 1 : 0;
  EXPECT_LE(largest_difference(image, expected), tolerance);
}

std::string test_name(const ::testing::TestParamInfo<fs::path>& info) {
  const fs::path& path = info.param;
  std::string name = folder_of(path) + "_" + path.filename().string();
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(
    Files,
    DecodeGolden,
    ::testing::ValuesIn(all_golden_files()),
    test_name);

TEST(DecodeGoldenSet, CoversEveryFormat) {
  std::set<std::string> kinds;
  for (const fs::path& path : testing::golden_files("decode")) {
    kinds.insert(path.extension().string());
  }
  EXPECT_EQ(
      kinds,
      (std::set<std::string>{
          ".avif", ".bmp", ".gif", ".jpg", ".png", ".tiff", ".webp"}));
}

}  // namespace
}  // namespace swavd::loader
