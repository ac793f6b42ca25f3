// What fuzzing has found, and what it starts from, without a fuzzer.
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "tests/fuzz/targets.h"
#include "tests/odd_files/odd_files.h"

namespace swavd::fuzz {
namespace {

ByteVector read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::filesystem::path findings() {
  return std::filesystem::path(SWAVD_TEST_SOURCE_DIR) / "tests/golden/fuzz";
}

TEST(FuzzReplay, EveryFindingHolds) {
  for (const Target& target : targets()) {
    const auto folder = findings() / target.name;
    if (!std::filesystem::exists(folder)) {
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      SCOPED_TRACE(entry.path().string());
      const ByteVector input = read_bytes(entry.path());
      ASSERT_FALSE(input.empty());
      target.run(input);
    }
  }
}

TEST(FuzzReplay, EveryFindingBelongsToATarget) {
  for (const auto& entry : std::filesystem::directory_iterator(findings())) {
    if (entry.is_directory()) {
      EXPECT_EQ(
          target_of(entry.path().filename().string()).name,
          entry.path().filename().string());
    }
  }
}

TEST(FuzzReplay, EveryTargetHoldsForEveryOddFile) {
  for (const odd_files::OddFile& file : odd_files::make_odd_files()) {
    SCOPED_TRACE(file.name);
    for (const Target& target : targets()) {
      target.run(file.bytes);
    }
  }
}

TEST(FuzzReplay, EveryTargetHoldsForVeryShortInputs) {
  const ByteVector bytes(40, 0xff);
  for (const Target& target : targets()) {
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
      target.run(Bytes(bytes).first(size));
    }
  }
}

}  // namespace
}  // namespace swavd::fuzz
