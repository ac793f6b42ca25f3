#include <array>
#include <string>
#include <string_view>
#include <variant>

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

TEST(SniffFormat, ReadsTheSignatureNotTheName) {
  EXPECT_EQ(sniff_format(golden("rgb420.jpg")), "jpeg");
  EXPECT_EQ(sniff_format(golden("rgb8.png")), "png");
  EXPECT_EQ(sniff_format(golden("lossy.webp")), "webp");
  EXPECT_EQ(sniff_format(golden("plain.gif")), "gif");
  EXPECT_EQ(sniff_format(as_bytes("BM......")), "unknown");
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
        "oversized.gif"));

class CutFile : public ::testing::TestWithParam<const char*> {};

TEST_P(CutFile, IsTruncatedWhereverItIsCut) {
  const ByteVector file = golden(GetParam());
  ASSERT_EQ(verdict(file), "image");
  const Bytes bytes(file);
  // Within the signature it is not even known what was cut.
  constexpr std::size_t kSignature = 12;
  for (std::size_t size = kSignature; size < file.size() * 9 / 10; ++size) {
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
        "interlaced.gif"));

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
