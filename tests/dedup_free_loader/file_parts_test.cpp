#include <algorithm>

#include <gtest/gtest.h>

#include "dedup_free_loader/decode/parts.h"
#include "dedup_free_loader/image.h"
#include "tests/dedup_free_loader/golden.h"
#include "tests/dedup_free_loader/tar_files.h"

namespace swavd::loader {
namespace {

ByteVector baseline() {
  return testing::read_bytes(testing::golden_folder() / "decode" / "gray.jpg");
}

TEST(JpegSize, IsThatOfTheDecodedPicture) {
  std::size_t compared = 0;
  const auto compare = [&](Bytes file) {
    const auto decoded = decode_image(file, {});
    const auto* image = std::get_if<Image>(&decoded);
    if (sniff_format(file) != "jpeg" || image == nullptr) {
      return;
    }
    ++compared;
    EXPECT_EQ(
        guess_jpeg_size(file),
        (PictureSize{.width = image->width, .height = image->height}));
  };
  for (const auto& path : testing::golden_files("decode")) {
    compare(testing::read_bytes(path));
  }
  EXPECT_GE(compared, 3U);
  if (const auto path = testing::test_data("photos-700.tar"); !path.empty()) {
    for (const testing::TarFile& file : testing::read_tar(path, 100)) {
      compare(file.bytes);
    }
  }
}

TEST(JpegSize, IsNotKnownOfAFileCutBeforeItsFrameHeaderEnds) {
  const ByteVector file = baseline();
  const ByteVector frame = {0xFF, 0xC0};
  const auto header =
      std::search(file.begin(), file.end(), frame.begin(), frame.end());
  ASSERT_NE(header, file.end());
  const auto header_end =
      static_cast<std::size_t>(header - file.begin()) + 9;  // after the width
  for (std::size_t length = 0; length < header_end; ++length) {
    EXPECT_EQ(guess_jpeg_size(Bytes(file).first(length)), std::nullopt)
        << length;
  }
  EXPECT_NE(guess_jpeg_size(Bytes(file).first(header_end)), std::nullopt);
}

TEST(JpegSize, IsNotKnownOfWhatIsNoJpegOrHasNoPixels) {
  EXPECT_EQ(guess_jpeg_size({}), std::nullopt);
  ByteVector file = baseline();
  const ByteVector frame = {0xFF, 0xC0};
  const auto header =
      std::search(file.begin(), file.end(), frame.begin(), frame.end());
  ASSERT_NE(header, file.end());
  std::fill(header + 5, header + 7, std::uint8_t{0});  // its height
  EXPECT_EQ(guess_jpeg_size(file), std::nullopt);
  file = baseline();
  file[0] = 0;
  EXPECT_EQ(guess_jpeg_size(file), std::nullopt);
}

TEST(JpegSize, SegmentsOfAnyLengthEndTheSearch) {
  ByteVector file = {0xFF, 0xD8};
  constexpr std::size_t kSegments = 1000;
  for (std::size_t i = 0; i < kSegments; ++i) {  // of no length at all
    file.insert(file.end(), {0xFF, 0xE1, 0, 0});
  }
  EXPECT_EQ(guess_jpeg_size(file), std::nullopt);
  file = {0xFF, 0xD8, 0xFF, 0xE1, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(guess_jpeg_size(file), std::nullopt);
}

}  // namespace
}  // namespace swavd::loader
