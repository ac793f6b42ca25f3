// A part of a picture has the pixels of the whole, at every scale.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "dedup_free_loader/image.h"
#include "ops/base/philox.h"
#include "tests/dedup_free_loader/golden.h"
#include "tests/dedup_free_loader/tar_files.h"

namespace swavd::loader {
namespace {

/// Some region of a picture; of every sixth, one pixel.
Region some_region(Random& random, std::int32_t width, std::int32_t height) {
  const auto below = [&random](std::int32_t bound) {
    return static_cast<std::int32_t>(
        random.below(static_cast<std::uint32_t>(bound)));
  };
  Region region{below(width), below(height), 1, 1};
  if (below(6) != 0) {
    region.width += below(width - region.x);
    region.height += below(height - region.y);
  }
  return region;
}

Image decoded_part(
    Bytes file,
    const Wanted& wanted,
    const DecodeOptions& options = {}) {
  int asked = 0;
  auto decoded =
      decode_image(file, options, [&](std::int32_t /*width*/, std::int32_t) {
        ++asked;
        return wanted;
      });
  EXPECT_EQ(asked, 1);
  if (const auto* rejection = std::get_if<Rejection>(&decoded)) {
    ADD_FAILURE() << rejection->detail;
    return {};
  }
  return std::get<Image>(std::move(decoded));
}

/// Whether `part` holds the region, which counts pixels of the file, and all it
/// holds within is as in `whole`.
bool is_part_of(const Image& part, const Region& wanted, const Image& whole) {
  const Region region = scaled_down(wanted, whole.denominator);
  if (part.denominator != whole.denominator || part.x > region.x ||
      part.y > region.y || part.x + part.width < region.x + region.width ||
      part.y + part.height < region.y + region.height) {
    return false;
  }
  const auto pixel = [](const Image& image, std::int32_t x, std::int32_t y) {
    return &image.rgb[static_cast<std::size_t>(
        ((y - image.y) * image.width + x - image.x) * 3)];
  };
  for (std::int32_t y = region.y; y < region.y + region.height; ++y) {
    if (std::memcmp(
            pixel(part, region.x, y),
            pixel(whole, region.x, y),
            static_cast<std::size_t>(region.width) * 3) != 0) {
      return false;
    }
  }
  return true;
}

/// Decodes so many regions of a file that can be decoded, at each scale.
void check_regions(
    const std::string& name,
    Bytes file,
    int tries,
    const DecodeOptions& options = {}) {
  const auto decoded = decode_image(file, options);
  if (!std::holds_alternative<Image>(decoded)) {
    return;
  }
  const std::int32_t width = std::get<Image>(decoded).width;
  const std::int32_t height = std::get<Image>(decoded).height;
  Random random(stream_key(1, name));
  for (const std::int32_t denominator : {1, 2, 4, 8}) {
    const Region all{.width = width, .height = height};
    const Image whole = decoded_part(file, {all, denominator}, options);
    for (int i = 0; i < tries; ++i) {
      const Region region = some_region(random, width, height);
      EXPECT_TRUE(is_part_of(
          decoded_part(file, {region, denominator}, options), region, whole))
          << name << ", " << region.width << "x" << region.height << " at "
          << region.x << ", " << region.y << " of " << width << "x" << height
          << " at 1/" << denominator;
    }
  }
}

TEST(DecodeRegion, HasThePixelsOfTheWholePicture) {
  constexpr int kTries = 40;
  for (const char* folder : testing::kGoldenFolders) {
    for (const auto& path : testing::golden_files(folder)) {
      check_regions(
          path.filename().string(),
          testing::read_bytes(path),
          kTries,
          testing::golden_options(folder));
    }
  }
}

TEST(DecodeRegion, IsAllThatIsDecodedOfATurnedJpeg) {
  const ByteVector file =
      testing::read_bytes(testing::golden_folder() / "upright/turned6.jpg");
  const DecodeOptions options = testing::golden_options("upright");
  const auto whole = std::get<Image>(decode_image(file, options));
  const Region one_pixel{
      .x = whole.width / 2, .y = whole.height / 2, .width = 1, .height = 1};
  const Image part = decoded_part(file, one_pixel, options);
  EXPECT_LT(part.width, whole.width);
  EXPECT_LT(part.height, whole.height);
}

TEST(DecodeRegion, OfPhotographsHasThePixelsOfTheWholePicture) {
  const auto path = testing::test_data("photos-700.tar");
  if (path.empty()) {
    GTEST_SKIP() << "set SWAVD_TEST_DATA to a folder with photos-700.tar";
  }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr std::size_t kPhotographs = 100;
#else
  constexpr std::size_t kPhotographs = 700;
#endif
  for (const auto& file : testing::read_tar(path, kPhotographs)) {
    check_regions(file.name, file.bytes, 2);
  }
}

TEST(DecodeRegion, OfOddFilesHasThePixelsOfTheWholePicture) {
  const auto path = testing::test_data("odd-images.tar");
  if (path.empty()) {
    GTEST_SKIP() << "set SWAVD_TEST_DATA to a folder with odd-images.tar";
  }
  for (const auto& file : testing::read_tar(path)) {
    check_regions(file.name, file.bytes, 2);
  }
}

TEST(DecodeRegion, IsAllThatIsDecodedOfAJpeg) {
  const ByteVector file =
      testing::read_bytes(testing::golden_folder() / "decode" / "rgb420.jpg");
  const auto whole = std::get<Image>(decode_image(file, {}));
  const Image part =
      decoded_part(file, Region{whole.width / 2, whole.height / 2, 1, 1});
  EXPECT_LT(part.width, whole.width);
  EXPECT_LT(part.height, whole.height);
}

TEST(DecodeRegion, OfATruncatedJpegIsRefusedEvenWhenItIsThere) {
  ByteVector file =
      testing::read_bytes(testing::golden_folder() / "decode" / "rgb420.jpg");
  file.resize(file.size() * 3 / 4);
  const auto decoded = decode_image(file, {}, [](std::int32_t, std::int32_t) {
    return Region{0, 0, 1, 1};
  });
  ASSERT_TRUE(std::holds_alternative<Rejection>(decoded));
  EXPECT_EQ(std::get<Rejection>(decoded).reason, RejectReason::kTruncated);
}

}  // namespace
}  // namespace swavd::loader
