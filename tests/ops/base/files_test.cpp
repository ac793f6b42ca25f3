#include "ops/base/files.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace swavd {
namespace {

class Files : public testing::Test {
 protected:
  Files() {
    std::string pattern = testing::TempDir() + "swavd-files-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }

  ~Files() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(Files, DurableWriteReplacesTheWholeFileAndLeavesNothingBeside) {
  const auto path = folder_ / "f";
  ASSERT_TRUE(write_file_durably(path, as_bytes("longer content")).ok());
  ASSERT_TRUE(write_file_durably(path, as_bytes("short")).ok());
  const auto bytes = read_file(path);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(as_text(bytes.value()), "short");
  const std::filesystem::directory_iterator entries(folder_);
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST_F(Files, ReadingWhatIsNotThereNamesThePath) {
  const auto bytes = read_file(folder_ / "absent");
  ASSERT_FALSE(bytes.ok());
  EXPECT_EQ(bytes.error().code, ErrorCode::kNotFound);
  EXPECT_NE(bytes.error().message.find("absent"), std::string::npos);
}

TEST_F(Files, ReadsFilesThatClaimToBeEmpty) {
  const auto bytes = read_file("/proc/self/status");
  ASSERT_TRUE(bytes.ok());
  EXPECT_NE(as_text(bytes.value()).find("Pid:"), std::string::npos);
}

TEST_F(Files, ASecondLockIsRefusedNamingTheHolder) {
  auto first = FileLock::acquire(folder_ / "lock");
  ASSERT_TRUE(first.ok());
  const auto second = FileLock::acquire(folder_ / "lock");
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(
      second.error().message.find(std::to_string(::getpid())),
      std::string::npos);
}

TEST_F(Files, ALockIsFreeOnceItsHolderIsGone) {
  { ASSERT_TRUE(FileLock::acquire(folder_ / "lock").ok()); }
  EXPECT_TRUE(FileLock::acquire(folder_ / "lock").ok());
}

}  // namespace
}  // namespace swavd
