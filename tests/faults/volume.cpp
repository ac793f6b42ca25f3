#include "tests/faults/volume.h"

#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/e2e/process.h"

namespace swavd::faults {

namespace {

/// Of <ext4.h>: shut down without flushing the journal.
constexpr auto kShutdown = _IOR('X', 125, std::uint32_t);
constexpr std::uint32_t kWithoutFlush = 2;

/// "" when it worked, else what it said.
std::string run(
    const std::string& program,
    const std::vector<std::string>& arguments) {
  const e2e::Finished finished = e2e::run_program(program, arguments);
  return finished.status == 0 ? ""
                              : fmt::format(
                                    "{} ended with {}: {}",
                                    program,
                                    finished.status,
                                    finished.err);
}

}  // namespace

std::unique_ptr<Volume> Volume::mount(
    const std::string& image,
    const std::string& folder,
    std::uint64_t megabytes,
    std::string& why) {
  if (::geteuid() != 0) {
    why = "no filesystem can be mounted here: this needs root";
    return nullptr;
  }
  std::filesystem::create_directories(folder);
  why = run("/usr/bin/truncate", {"-s", fmt::format("{}M", megabytes), image});
  if (why.empty()) {
    why = run("/sbin/mkfs.ext4", {"-q", "-F", image});
  }
  std::unique_ptr<Volume> volume(new Volume(image, folder));
  if (!why.empty() || !volume->attach(why)) {
    why = "no filesystem can be mounted here: " + why;
    return nullptr;
  }
  return volume;
}

Volume::Volume(std::string image, std::string folder)
    : image_(std::move(image)),
      folder_(std::move(folder)) {}

Volume::~Volume() {
  (void)e2e::run_program("/bin/umount", {"-l", folder_});
}

bool Volume::attach(std::string& why) {
  why = run("/bin/mount", {"-o", "loop", image_, folder_});
  return why.empty();
}

void Volume::cut_power() {
  const int folder =
      ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(folder, 0) << std::strerror(errno);
  EXPECT_EQ(::ioctl(folder, kShutdown, &kWithoutFlush), 0)
      << std::strerror(errno);
  ::close(folder);
}

void Volume::mount_again() {
  EXPECT_EQ(run("/bin/umount", {folder_}), "");
  std::string why;
  EXPECT_TRUE(attach(why)) << why;
}

void Volume::set_read_only(bool read_only) {
  EXPECT_EQ(
      run("/bin/mount",
          {"-o", read_only ? "remount,ro" : "remount,rw", folder_}),
      "");
}

}  // namespace swavd::faults
