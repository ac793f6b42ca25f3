#include "ops/base/memory_limit.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace swavd {
namespace {

/// A root with files as the kernel shows them.
class FakeRoot {
 public:
  FakeRoot() {
    std::string name = testing::TempDir() + "memory-limit-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    write("/proc/meminfo", "MemTotal:       24683652 kB\nMemFree: 1 kB\n");
  }

  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;

  ~FakeRoot() { std::filesystem::remove_all(folder_); }

  void write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = folder_ + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  [[nodiscard]] MemoryLimit limit() const { return memory_limit(folder_); }

 private:
  std::string folder_;
};

TEST(MemoryLimit, IsTheMachinesMemoryWhereNoGroupLimitsIt) {
  const FakeRoot root;
  EXPECT_EQ(root.limit().bytes, 24683652ULL * 1024);
  root.write("/proc/self/cgroup", "0::/a/b\n");
  root.write("/sys/fs/cgroup/a/b/memory.max", "max\n");
  EXPECT_EQ(root.limit().bytes, 24683652ULL * 1024);
  EXPECT_EQ(root.limit().source, "/proc/meminfo");
}

TEST(MemoryLimit, IsTheLeastOfTheGroupsAround) {
  const FakeRoot root;
  root.write("/proc/self/cgroup", "1:cpu:/x\n0::/a/b\n");
  root.write("/sys/fs/cgroup/a/b/memory.max", "2000000000\n");
  root.write("/sys/fs/cgroup/a/memory.max", "1000000000\n");
  EXPECT_EQ(root.limit().bytes, 1000000000U);
  EXPECT_EQ(root.limit().source, "/sys/fs/cgroup/a/memory.max");
}

TEST(MemoryLimit, InAContainerTheGroupsRootLimits) {
  const FakeRoot root;
  root.write("/proc/self/cgroup", "0::/\n");
  root.write("/sys/fs/cgroup/memory.max", "500000000\n");
  EXPECT_EQ(root.limit().bytes, 500000000U);
}

TEST(MemoryLimit, AGroupAboveTheMachineDoesNotCount) {
  const FakeRoot root;
  root.write("/proc/self/cgroup", "0::/a\n");
  root.write("/sys/fs/cgroup/a/memory.max", "99000000000\n");
  EXPECT_EQ(root.limit().source, "/proc/meminfo");
}

TEST(MemoryLimit, OfThisMachineIsKnown) {
  EXPECT_GT(memory_limit().bytes, 1U << 20U);
}

}  // namespace
}  // namespace swavd
