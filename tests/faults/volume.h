#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace swavd::faults {

/// A small ext4 filesystem of its own, mounted at a folder: the disk that can
/// be filled, made read-only and lose its power. Needs root and a loop device.
class Volume {
 public:
  /// Makes and mounts it; nullptr when this machine does not let us: `why`
  /// then says so. `image` is the file that holds it.
  [[nodiscard]] static std::unique_ptr<Volume> mount(
      const std::string& image,
      const std::string& folder,
      std::uint64_t megabytes,
      std::string& why);

  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;
  ~Volume();

  /// What was not synced is lost, and from now on every write fails, as after
  /// a cut of the power.
  void cut_power();

  /// Unmounts and mounts again; nobody may hold a file open there.
  void mount_again();

  void set_read_only(bool read_only);

 private:
  Volume(std::string image, std::string folder);
  [[nodiscard]] bool attach(std::string& why);

  const std::string image_;
  const std::string folder_;
};

}  // namespace swavd::faults
