#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "dedup_free_loader/image.h"
#include "ops/base/bytes.h"
#include "tests/dedup_free_loader/golden.h"

namespace swavd::loader {
namespace {

ByteVector golden(const std::string& name) {
  return testing::read_bytes(testing::golden_folder() / "decode" / name);
}

/// The reason word for `file`, or "image".
std::string_view verdict(Bytes file, const DecodeLimits& limits = {}) {
  const auto decoded = decode_image(file, limits);
  return std::holds_alternative<Image>(decoded)
             ? "image"
             : to_string(std::get<Rejection>(decoded).reason);
}

/// Overwrites the one value, of 32 bits at most, of a tag of a little-endian
/// TIFF.
void set_tag(ByteVector& file, unsigned tag, std::uint32_t value) {
  const auto number = [&](std::size_t at, std::size_t bytes) {
    std::size_t result = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      result |= std::size_t{file.at(at + i)} << (8 * i);
    }
    return result;
  };
  const std::size_t directory = number(4, 4);
  for (std::size_t i = 0; i < number(directory, 2); ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (number(entry, 2) != tag) {
      continue;
    }
    for (std::size_t byte = 0; byte < 4; ++byte) {
      file[entry + 8 + byte] = static_cast<std::uint8_t>(value >> (8 * byte));
    }
    return;
  }
  FAIL() << "no tag " << tag;
}

TEST(SniffFormat, ReadsTheSignatureNotTheName) {
  EXPECT_EQ(sniff_format(golden("rgb420.jpg")), "jpeg");
  EXPECT_EQ(sniff_format(golden("rgb8.png")), "png");
  EXPECT_EQ(sniff_format(golden("lossy.webp")), "webp");
  EXPECT_EQ(sniff_format(golden("plain.gif")), "gif");
  EXPECT_EQ(sniff_format(golden("rgb24.bmp")), "bmp");
  EXPECT_EQ(sniff_format(golden("palette8_os2.bmp")), "bmp");
  EXPECT_EQ(sniff_format(golden("rgb16_little.tiff")), "tiff");
  EXPECT_EQ(sniff_format(golden("rgb16_big.tiff")), "tiff");
  EXPECT_EQ(sniff_format(golden("yuv420_8.avif")), "avif");
  EXPECT_EQ(sniff_format(as_bytes("BM......")), "unknown");
  EXPECT_EQ(sniff_format(as_bytes("BMW is a maker of cars")), "unknown");
  EXPECT_EQ(sniff_format(as_bytes("RIFF....WAVE")), "unknown");
  EXPECT_EQ(sniff_format(as_bytes("RIFF")), "unknown");
  EXPECT_EQ(sniff_format({}), "unknown");
}

TEST(DecodeImage, NothingIsEmpty) {
  EXPECT_EQ(verdict({}), "empty");
}

TEST(DecodeImage, AnotherFormatIsUnknown) {
  const auto decoded = decode_image(as_bytes("<html>not found</html>"), {});
  ASSERT_TRUE(std::holds_alternative<Rejection>(decoded));
  const auto& rejection = std::get<Rejection>(decoded);
  EXPECT_EQ(rejection.reason, RejectReason::kUnknownFormat);
  // The first bytes help to find out what it was.
  EXPECT_NE(rejection.detail.find("3c68746d6c3e"), std::string::npos);
}

std::string file_type(const std::string& brands) {
  const auto length = static_cast<char>(8 + brands.size());
  return std::string(3, '\0') + length + "ftyp" + brands + "more";
}

TEST(SniffFormat, FindsAvifAmongTheBrandsAFileIsCompatibleWith) {
  const std::string version(4, '\0');
  const auto format = [&](const std::string& brands) {
    return std::string(sniff_format(as_bytes(file_type(brands))));
  };
  EXPECT_EQ(format("avif" + version), "avif");
  EXPECT_EQ(format("avis" + version + "avifmif1"), "avif");
  EXPECT_EQ(format("mif1" + version + "miafavif"), "avif");
  EXPECT_EQ(format("heic" + version + "mif1heic"), "unknown");
  EXPECT_EQ(format("isom" + version + "mp41"), "unknown");
  // Behind the box, or not a brand but a part of two.
  EXPECT_EQ(
      sniff_format(as_bytes(file_type("mif1" + version) + "avif")), "unknown");
  EXPECT_EQ(format("mif1" + version + "miavifaf"), "unknown");
}

TEST(DecodeImage, AHeifThatIsNoAvifIsNamed) {
  const std::string file = file_type("heic" + std::string(4, '\0') + "mif1");
  const auto decoded = decode_image(as_bytes(file), {});
  ASSERT_TRUE(std::holds_alternative<Rejection>(decoded));
  EXPECT_EQ(std::get<Rejection>(decoded).reason, RejectReason::kUnknownFormat);
  EXPECT_EQ(
      std::get<Rejection>(decoded).detail,
      "a HEIF file (brand heic) that is no AVIF");
}

TEST(DecodeImage, AFileAboveTheByteLimitIsTooLarge) {
  const ByteVector file = golden("rgb8.png");
  DecodeLimits limits;
  limits.max_bytes = file.size();
  EXPECT_EQ(verdict(file, limits), "image");
  limits.max_bytes = file.size() - 1;
  EXPECT_EQ(verdict(file, limits), "too_large");
}

class PixelLimit : public ::testing::TestWithParam<const char*> {};

TEST_P(PixelLimit, IsTheLargestAreaAccepted) {
  const ByteVector file = golden(GetParam());
  const auto decoded = decode_image(file, {});
  ASSERT_TRUE(std::holds_alternative<Image>(decoded));
  const Image& image = std::get<Image>(decoded);
  DecodeLimits limits;
  limits.max_pixels = image.rgb.size() / 3;
  EXPECT_EQ(verdict(file, limits), "image");
  --limits.max_pixels;
  EXPECT_EQ(verdict(file, limits), "too_many_pixels");
}

INSTANTIATE_TEST_SUITE_P(
    Formats,
    PixelLimit,
    ::testing::Values(
        "rgb420.jpg",
        "progressive.jpg",
        "rgb8.png",
        "gray16.png",
        "lossy.webp",
        "animated.webp",
        "plain.gif",
        "oversized.gif",
        "rgb24.bmp",
        "runs4.bmp",
        "strips.tiff",
        "tiles.tiff",
        "turned6.tiff",
        "yuv420_8.avif",
        "grid.avif"));

class CutFile : public ::testing::TestWithParam<const char*> {};

TEST_P(CutFile, IsTruncatedWhereverItIsCut) {
  const ByteVector file = golden(GetParam());
  ASSERT_EQ(verdict(file), "image");
  const Bytes bytes(file);
  // Within the signature it is not even known what was cut.
  std::size_t signature = 12;
  while (sniff_format(bytes.first(signature)) == "unknown") {
    ++signature;
  }
  EXPECT_LE(signature, 18U);
  for (std::size_t size = signature; size < file.size() * 9 / 10; ++size) {
    EXPECT_EQ(verdict(bytes.first(size)), "truncated") << "cut to " << size;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Formats,
    CutFile,
    ::testing::Values(
        "rgb444.jpg",
        "rgb420.jpg",
        "progressive.jpg",
        "cmyk.jpg",
        "rgb8.png",
        "rgb8_adam7.png",
        "palette4.png",
        "lossy.webp",
        "lossless.webp",
        "lossy_alpha.webp",
        "plain.gif",
        "interlaced.gif",
        "rgb24.bmp",
        "palette4.bmp",
        "rgb565_v4.bmp",
        "runs8.bmp",
        "strips.tiff",
        "tiles.tiff",
        "rgb_tiff_lzw.tiff",
        "ycbcr_jpeg.tiff",
        "bilevel_group4.tiff",
        "lossless.avif",
        "yuv420_10.avif",
        "grid.avif"));

TEST(DecodeImage, AMissingEndMarkerCostsNoPixelOfABaselineJpeg) {
  const ByteVector file = golden("rgb420.jpg");
  const auto whole = decode_image(file, {});
  const auto cut = decode_image(Bytes(file).first(file.size() - 2), {});
  ASSERT_TRUE(std::holds_alternative<Image>(whole));
  ASSERT_TRUE(std::holds_alternative<Image>(cut));
  EXPECT_EQ(std::get<Image>(whole).rgb, std::get<Image>(cut).rgb);
}

TEST(DecodeImage, AnEndMarkerTooEarlyIsTruncated) {
  ByteVector file = golden("rgb420.jpg");
  file.resize(file.size() * 2 / 3);
  file.insert(file.end(), {0xff, 0xd9});
  EXPECT_EQ(verdict(file), "truncated");
}

TEST(DecodeImage, AWrongChecksumIsMalformed) {
  ByteVector file = golden("rgb8.png");
  file[29] ^= 1U;  // of the header
  EXPECT_EQ(verdict(file), "malformed");
}

TEST(DecodeImage, ATwelveBitJpegIsUnsupported) {
  ByteVector file = golden("rgb444.jpg");
  const std::string_view text = as_text(file);
  const std::size_t frame = text.find("\xff\xc0");
  ASSERT_NE(frame, std::string_view::npos);
  file[frame + 4] = 12;
  EXPECT_EQ(verdict(file), "unsupported");
}

// A scan may be ten bytes long and still costs a pass over all blocks.
TEST(DecodeImage, AJpegWithHundredsOfScansIsUnsupported) {
  const ByteVector file = golden("progressive.jpg");
  const std::string_view text = as_text(file);
  const std::size_t last_scan = text.rfind("\xff\xda");
  ASSERT_NE(last_scan, std::string_view::npos);
  const std::size_t end = file.size() - 2;
  ByteVector bomb(file.begin(), file.begin() + static_cast<long>(end));
  for (int i = 0; i < 300; ++i) {
    bomb.insert(
        bomb.end(),
        file.begin() + static_cast<long>(last_scan),
        file.begin() + static_cast<long>(end));
  }
  bomb.insert(bomb.end(), {0xff, 0xd9});
  EXPECT_EQ(verdict(bomb), "unsupported");
}

TEST(DecodeImage, AHeaderThatPromisesGigapixelsAllocatesNothing) {
  ByteVector jpeg = golden("rgb420.jpg");
  const std::size_t frame = as_text(jpeg).find("\xff\xc0");
  ASSERT_NE(frame, std::string_view::npos);
  for (std::size_t i = 5; i < 9; ++i) {
    jpeg[frame + i] = 0xfe;
  }
  EXPECT_EQ(verdict(jpeg), "too_many_pixels");
  ByteVector gif = golden("plain.gif");
  for (std::size_t i = 6; i < 10; ++i) {
    gif[i] = 0xff;
  }
  EXPECT_EQ(verdict(gif), "too_many_pixels");
  ByteVector bmp = golden("runs8.bmp");
  for (const std::size_t at : {20U, 24U}) {  // above 16 bits each
    bmp[at] = 0x70;
  }
  EXPECT_EQ(verdict(bmp), "too_many_pixels");
  ByteVector tiff = golden("strips.tiff");
  set_tag(tiff, 256, 0x70000000);
  EXPECT_EQ(verdict(tiff), "too_many_pixels");
  ByteVector avif = golden("yuv420_8.avif");
  const std::size_t extent = as_text(avif).find("ispe");
  ASSERT_NE(extent, std::string_view::npos);
  for (const std::size_t at : {9U, 13U}) {
    avif[extent + at] = 0x01;
  }
  EXPECT_EQ(verdict(avif), "too_many_pixels");
}

// A tile of a small picture need not be small.
TEST(DecodeImage, ATileThatPromisesGigapixelsAllocatesNothing) {
  ByteVector tiff = golden("tiles.tiff");
  set_tag(tiff, 322, 0x10000);
  set_tag(tiff, 323, 0x10000);
  EXPECT_EQ(verdict(tiff), "too_many_pixels");
}

// The AV1 data say how large they are once more.
TEST(DecodeImage, AnAvifLargerThanItsHeaderSaysIsNotDecoded) {
  ByteVector avif = golden("grid.avif");
  DecodeLimits limits;
  limits.max_pixels = 100;
  const std::string_view text = as_text(avif);
  for (std::size_t at = text.find("ispe"); at != std::string_view::npos;
       at = text.find("ispe", at + 4)) {
    avif[at + 11] = 1;  // width
    avif[at + 15] = 1;  // height
  }
  EXPECT_NE(verdict(avif, limits), "image");
}

TEST(DecodeImage, KindsOfBmpThatAreNotReadAreUnsupported) {
  ByteVector file = golden("rgb24.bmp");
  file[30] = 4;  // compression: a JPEG inside
  EXPECT_EQ(verdict(file), "unsupported");
  file = golden("rgb24.bmp");
  file[28] = 48;  // bits a pixel
  EXPECT_EQ(verdict(file), "unsupported");
  file = golden("rgb565.bmp");
  file[54] = 0x0f;  // a mask with a hole
  EXPECT_EQ(verdict(file), "unsupported");
  file = golden("rgb24.bmp");
  file[14] = 41;  // bytes of the header
  EXPECT_EQ(verdict(file), "unsupported");
}

TEST(DecodeImage, KindsOfTiffThatAreNotReadAreUnsupported) {
  ByteVector file = golden("strips.tiff");
  set_tag(file, 259, 34661);  // JBIG
  EXPECT_EQ(verdict(file), "unsupported");
  file = golden("strips.tiff");
  set_tag(file, 262, 8);  // CIE L*a*b*
  EXPECT_EQ(verdict(file), "unsupported");
}

/// The indices, by rows from below, of a BMP of `runs`; its palette has every
/// index as red.
std::vector<std::vector<int>> indices_of(
    const char* golden_name,
    std::size_t colors,
    const std::vector<std::uint8_t>& runs) {
  ByteVector file = golden(golden_name);
  file.resize(14 + 40 + 4 * colors);
  for (std::size_t i = 0; i < colors; ++i) {
    file[14 + 40 + 4 * i + 2] = static_cast<std::uint8_t>(i);
  }
  file.insert(file.end(), runs.begin(), runs.end());
  const auto decoded = decode_image(file, {});
  if (const auto* rejection = std::get_if<Rejection>(&decoded)) {
    ADD_FAILURE() << rejection->detail;
    return {};
  }
  const Image& image = std::get<Image>(decoded);
  std::vector<std::vector<int>> rows;
  for (std::int32_t y = image.height - 1; y >= 0; --y) {
    rows.emplace_back();
    for (std::int32_t x = 0; x < image.width; ++x) {
      rows.back().push_back(
          image.rgb[static_cast<std::size_t>(3 * (y * image.width + x))]);
    }
  }
  return rows;
}

// What the runs do not reach has the first colour.
TEST(DecodeImage, RunsMayStepOverPixelsAndEndBeforeTheLastRow) {
  const auto rows =
      indices_of("runs8.bmp", 256, {2, 7, 0, 2, 3, 1, 1, 9, 0, 0, 1, 5, 0, 1});
  ASSERT_EQ(rows.size(), 14U);
  std::vector<std::vector<int>> expected(14, std::vector<int>(23));
  expected[0][0] = expected[0][1] = 7;
  expected[1][5] = 9;  // three to the right, one up
  expected[2][0] = 5;
  EXPECT_EQ(rows, expected);
}

TEST(DecodeImage, AnOddNumberOfHalfBytesIsReadWhole) {
  const auto rows =
      indices_of("runs4.bmp", 16, {0, 3, 0x12, 0x30, 2, 0x45, 0, 1});
  ASSERT_EQ(rows.size(), 14U);
  EXPECT_EQ(
      std::vector<int>(rows[0].begin(), rows[0].begin() + 6),
      (std::vector<int>{1, 2, 3, 4, 5, 0}));
}

TEST(DecodeImage, RunsThatLeaveTheRowOrThePictureAreCutOff) {
  std::vector<std::uint8_t> runs = {255, 7, 0, 0, 0, 2, 255, 0, 4, 9, 0, 0};
  runs.insert(runs.end(), {0, 2, 0, 255, 3, 3, 0, 1});
  const auto rows = indices_of("runs8.bmp", 256, runs);
  ASSERT_EQ(rows.size(), 14U);
  std::vector<std::vector<int>> expected(14, std::vector<int>(23));
  expected[0].assign(23, 7);
  EXPECT_EQ(rows, expected);
}

TEST(RejectReasons, HaveOneWordEach) {
  EXPECT_EQ(to_string(RejectReason::kEmpty), "empty");
  EXPECT_EQ(to_string(RejectReason::kUnknownFormat), "unknown_format");
  EXPECT_EQ(to_string(RejectReason::kTruncated), "truncated");
  EXPECT_EQ(to_string(RejectReason::kMalformed), "malformed");
  EXPECT_EQ(to_string(RejectReason::kUnsupported), "unsupported");
  EXPECT_EQ(to_string(RejectReason::kTooManyPixels), "too_many_pixels");
  EXPECT_EQ(to_string(RejectReason::kTooLarge), "too_large");
}

}  // namespace
}  // namespace swavd::loader
