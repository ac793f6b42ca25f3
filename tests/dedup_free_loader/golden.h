#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "dedup_free_loader/image.h"
#include "ops/base/bytes.h"

namespace swavd::loader::testing {

/// The folder of golden images; see make_golden.py there.
inline std::filesystem::path golden_folder() {
  return std::filesystem::path(SWAVD_TEST_SOURCE_DIR) / "tests/golden/images";
}

/// The image files of one of its folders, sorted.
inline std::vector<std::filesystem::path> golden_files(
    const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(golden_folder() / folder)) {
    if (entry.path().extension() != ".rgb") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// How the files of a folder are to be decoded to be as Pillow's pixels there.
inline DecodeOptions golden_options(const std::string& folder) {
  DecodeOptions options;
  options.exif_orientation = folder == "upright";
  options.color_profiles = folder == "srgb";
  options.fill_truncated = folder == "filled";
  return options;
}

inline constexpr std::array<const char*, 4> kGoldenFolders = {
    "decode",
    "upright",
    "srgb",
    "filled"};

inline ByteVector read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Reads "WIDTH HEIGHT\n" and the pixels; an empty image when that fails.
inline Image read_rgb(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  Image image;
  file >> image.width >> image.height;
  file.get();
  image.rgb.assign(std::istreambuf_iterator<char>(file), {});
  return image;
}

}  // namespace swavd::loader::testing
