// Pictures that say they are stored turned or mirrored.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "dedup_free_loader/decode/exif.h"
#include "dedup_free_loader/image.h"
#include "ops/base/philox.h"
#include "tests/dedup_free_loader/golden.h"

namespace swavd::loader {
namespace {

ByteVector upright_file(const std::string& name) {
  return testing::read_bytes(testing::golden_folder() / "upright" / name);
}

DecodeOptions upright() {
  return testing::golden_options("upright");
}

TEST(DecodeUprightOption, IsOffUnlessAskedFor) {
  for (const char* name :
       {"turned6.jpg", "turned6.png", "turned6.webp", "irot1_imirnone.avif"}) {
    const auto stored = decode_image(upright_file(name), {});
    const auto turned = decode_image(upright_file(name), upright());
    ASSERT_TRUE(std::holds_alternative<Image>(stored)) << name;
    ASSERT_TRUE(std::holds_alternative<Image>(turned)) << name;
    EXPECT_GT(std::get<Image>(stored).width, std::get<Image>(stored).height);
    EXPECT_EQ(std::get<Image>(stored).width, std::get<Image>(turned).height);
    EXPECT_EQ(std::get<Image>(stored).height, std::get<Image>(turned).width);
  }
}

using Exif = std::vector<std::uint8_t>;

/// EXIF of one directory entry: a tag, its type and the four bytes of a value.
Exif little_exif(
    std::uint8_t tag_low,
    std::uint8_t type,
    const std::array<std::uint8_t, 4>& value) {
  Exif exif = {'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0};
  exif.insert(exif.end(), {tag_low, 1, type, 0, 1, 0, 0, 0});
  exif.insert(exif.end(), value.begin(), value.end());
  return exif;
}

TEST(ExifOrientation, IsReadInBothOrdersOfBytes) {
  EXPECT_EQ(orientation_of_exif(little_exif(0x12, 3, {6, 0, 0, 0})), 6);
  const Exif big = {'M',  'M', 0, '*', 0, 0, 0, 8, 0, 1, 0x01,
                    0x12, 0,   3, 0,   0, 0, 1, 0, 8, 0, 0};
  EXPECT_EQ(orientation_of_exif(big), 8);
  Exif prefixed = {'E', 'x', 'i', 'f', 0, 0};
  prefixed.insert(prefixed.end(), big.begin(), big.end());
  EXPECT_EQ(orientation_of_exif(prefixed), 8);
  EXPECT_EQ(orientation_of_exif(little_exif(0x12, 4, {3, 0, 0, 0})), 3);
}

TEST(ExifOrientation, IsUprightWhereItIsNotToBeHad) {
  EXPECT_EQ(orientation_of_exif({}), 1);
  EXPECT_EQ(orientation_of_exif(as_bytes("no EXIF at all")), 1);
  EXPECT_EQ(orientation_of_exif(little_exif(0x13, 3, {6, 0, 0, 0})), 1);
  EXPECT_EQ(orientation_of_exif(little_exif(0x12, 2, {6, 0, 0, 0})), 1);
  EXPECT_EQ(orientation_of_exif(little_exif(0x12, 3, {0, 0, 0, 0})), 1);
  EXPECT_EQ(orientation_of_exif(little_exif(0x12, 3, {9, 0, 0, 0})), 1);
  EXPECT_EQ(orientation_of_exif(little_exif(0x12, 3, {6, 1, 0, 0})), 1);
  Exif far = little_exif(0x12, 3, {6, 0, 0, 0});
  far[7] = 0xff;
  EXPECT_EQ(orientation_of_exif(far), 1);
}

TEST(ExifOrientation, WhereverItIsCutItIsUprightOrWhole) {
  const Exif exif = little_exif(0x12, 3, {6, 0, 0, 0});
  for (std::size_t size = 0; size < exif.size(); ++size) {
    // A copy of exact size, so that a sanitizer sees an overrun. The value
    // has two bytes.
    const Exif cut(exif.begin(), exif.begin() + static_cast<long>(size));
    EXPECT_EQ(orientation_of_exif(cut), size + 2 < exif.size() ? 1 : 6);
  }
}

TEST(ExifOrientation, OfBrokenFilesIsANumberInRange) {
  Random random(stream_key(1, "broken EXIF"));
  for (const auto& path : testing::golden_files("upright")) {
    const ByteVector file = testing::read_bytes(path);
    for (int copy = 0; copy < 200; ++copy) {
      ByteVector broken = file;
      const std::size_t front = std::min<std::size_t>(broken.size(), 120);
      for (int hit = 0; hit < 3; ++hit) {
        broken[random.below(static_cast<std::uint32_t>(front))] =
            static_cast<std::uint8_t>(random.next_u32());
      }
      if (random.below(3) == 0) {
        broken.resize(random.below(static_cast<std::uint32_t>(front)));
      }
      const int orientation = exif_orientation(ByteVector(broken));
      EXPECT_GE(orientation, 1);
      EXPECT_LE(orientation, 8);
      const auto decoded = decode_image(ByteVector(broken), upright());
      if (const auto* image = std::get_if<Image>(&decoded)) {
        EXPECT_EQ(
            image->rgb.size(),
            static_cast<std::size_t>(image->width) *
                static_cast<std::size_t>(image->height) * 3);
      }
    }
  }
}

}  // namespace
}  // namespace swavd::loader
