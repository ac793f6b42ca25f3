#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory_resource>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "dedup_free_loader/image.h"
#include "ops/base/philox.h"
#include "tests/dedup_free_loader/golden.h"
#include "tests/dedup_free_loader/tar_files.h"
#include "tests/odd_files/odd_files.h"

namespace swavd::loader {
namespace {

/// Decodes and checks that the answer is whole: a picture with all its pixels,
/// or a reason in words.
bool is_sound(
    Bytes file,
    const ChooseRegion& choose = nullptr,
    const DecodeOptions& options = {}) {
  const auto decoded = decode_image(file, options, choose);
  if (const auto* rejection = std::get_if<Rejection>(&decoded)) {
    return !rejection->detail.empty();
  }
  const auto& image = std::get<Image>(decoded);
  return image.width > 0 && image.height > 0 &&
         image.rgb.size() == static_cast<std::size_t>(image.width) *
                                 static_cast<std::size_t>(image.height) * 3;
}

/// Everything that is done to a picture only where it is asked for.
DecodeOptions every_option() {
  DecodeOptions options;
  options.exif_orientation = true;
  options.color_profiles = true;
  options.fill_truncated = true;
  return options;
}

/// The pixel in the middle.
Region middle(std::int32_t width, std::int32_t height) {
  return {.x = width / 2, .y = height / 2, .width = 1, .height = 1};
}

/// The same at 1/4.
Wanted small_middle(std::int32_t width, std::int32_t height) {
  return {middle(width, height), 4};
}

TEST(DecodeRobustness, EveryBrokenCopyHasAnAnswer) {
  Random random(stream_key(1, "broken copies"));
  std::vector<std::filesystem::path> paths;
  for (const char* folder : {"decode", "srgb"}) {
    const auto more = testing::golden_files(folder);
    paths.insert(paths.end(), more.begin(), more.end());
  }
  for (const auto& path : paths) {
    const ByteVector file = testing::read_bytes(path);
    for (int copy = 0; copy < 100; ++copy) {
      ByteVector broken = file;
      const std::uint32_t hits = 1 + random.below(4);
      for (std::uint32_t hit = 0; hit < hits; ++hit) {
        const auto size = static_cast<std::uint32_t>(broken.size());
        broken[random.below(size)] =
            static_cast<std::uint8_t>(random.next_u32());
      }
      if (random.below(4) == 0) {
        broken.resize(random.below(static_cast<std::uint32_t>(file.size())));
      }
      // A fresh copy of exact size, so that a sanitizer sees an overrun.
      ASSERT_TRUE(is_sound(ByteVector(broken)));
      ASSERT_TRUE(is_sound(ByteVector(broken), middle));
      ASSERT_TRUE(is_sound(ByteVector(broken), small_middle));
      ASSERT_TRUE(is_sound(ByteVector(broken), middle, every_option()));
    }
  }
}

std::string verdict_of(const std::variant<Image, Rejection>& decoded) {
  const auto* rejection = std::get_if<Rejection>(&decoded);
  return rejection == nullptr ? "image"
                              : std::string(to_string(rejection->reason));
}

TEST(DecodeRobustness, EveryOddFileHasTheAnswerThatItsNatureAsksFor) {
  for (const odd_files::OddFile& file : odd_files::make_odd_files()) {
    // A fresh copy of exact size, so that a sanitizer sees an overrun.
    const ByteVector bytes(file.bytes);
    EXPECT_TRUE(is_sound(bytes)) << file.name;
    EXPECT_TRUE(is_sound(bytes, middle)) << file.name;
    EXPECT_TRUE(is_sound(bytes, nullptr, every_option())) << file.name;
    if (!file.verdict.empty()) {
      EXPECT_EQ(verdict_of(decode_image(bytes, {})), file.verdict) << file.name;
    }
  }
}

/// Remembers how much memory was asked for at most at once.
class Meter final : public std::pmr::memory_resource {
 public:
  [[nodiscard]] std::size_t most() const { return most_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    most_ = std::max(most_, bytes);
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }

  void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment)
      override {
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }

  [[nodiscard]] bool do_is_equal(
      const memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::size_t most_ = 0;
};

TEST(DecodeRobustness, ABombTakesNoMemoryForPixels) {
  constexpr std::size_t kPixels = 3 << 20U;
  int bombs = 0;
  for (const odd_files::OddFile& file : odd_files::make_odd_files()) {
    if (file.kind != odd_files::Kind::kBomb) {
      continue;
    }
    Meter meter;
    auto* const before = std::pmr::set_default_resource(&meter);
    const std::string verdict = verdict_of(decode_image(file.bytes, {}));
    std::pmr::set_default_resource(before);
    EXPECT_LT(meter.most(), kPixels) << file.name << ": " << verdict;
    ++bombs;
  }
  EXPECT_GT(bombs, 30);
}

TEST(DecodeRobustness, OddFilesOfTheWildHaveAnAnswer) {
  const auto path = testing::test_data("odd-images.tar");
  if (path.empty()) {
    GTEST_SKIP() << "set SWAVD_TEST_DATA to a folder with odd-images.tar";
  }
  std::map<std::string, int> verdicts;
  const auto files = testing::read_tar(path);
  ASSERT_GT(files.size(), 200U);
  for (const auto& file : files) {
    EXPECT_TRUE(is_sound(file.bytes)) << file.name;
    EXPECT_TRUE(is_sound(file.bytes, middle)) << file.name;
    EXPECT_TRUE(is_sound(file.bytes, small_middle)) << file.name;
    const auto decoded = decode_image(file.bytes, {});
    const auto* rejection = std::get_if<Rejection>(&decoded);
    if (rejection == nullptr) {
      ++verdicts["image"];
      continue;
    }
    ++verdicts[std::string(to_string(rejection->reason))];
    RecordProperty(file.name, rejection->detail);
    // What carries a known signature is never called unknown.
    EXPECT_EQ(
        rejection->reason == RejectReason::kUnknownFormat,
        sniff_format(file.bytes) == "unknown")
        << file.name;
  }
  EXPECT_GT(verdicts["image"], 40);
  for (const auto& [verdict, count] : verdicts) {
    RecordProperty(verdict, count);
  }
}

TEST(DecodeRobustness, EveryPhotographDecodes) {
  const auto path = testing::test_data("photos-700.tar");
  if (path.empty()) {
    GTEST_SKIP() << "set SWAVD_TEST_DATA to a folder with photos-700.tar";
  }
  for (const auto& file : testing::read_tar(path, /*limit=*/100)) {
    const auto decoded = decode_image(file.bytes, {});
    EXPECT_TRUE(std::holds_alternative<Image>(decoded)) << file.name;
  }
}

}  // namespace
}  // namespace swavd::loader
