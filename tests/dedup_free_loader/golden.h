#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "dedup_free_loader/image.h"
#include "ops/base/bytes.h"

namespace swavd::loader::testing {

/// The folder of golden images; see make_golden.py there.
inline std::filesystem::path golden_folder() {
  return std::filesystem::path(SWAVD_TEST_SOURCE_DIR) / "tests/golden/images";
}

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
