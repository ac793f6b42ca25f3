#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "ops/base/bytes.h"

namespace swavd::loader::testing {

struct TarFile {
  std::string name;
  ByteVector bytes;
};

/// The regular files of an uncompressed ustar archive, at most `limit`. Long
/// names are cut; enough for test data.
inline std::vector<TarFile> read_tar(
    const std::filesystem::path& path,
    std::size_t limit = SIZE_MAX) {
  constexpr std::size_t kBlock = 512;
  std::ifstream archive(path, std::ios::binary);
  std::vector<TarFile> files;
  char header[kBlock];
  while (files.size() < limit && archive.read(header, kBlock) &&
         header[0] != '\0') {
    const std::string name(header, strnlen(header, 100));
    const std::string digits(header + 124, 11);
    const auto size =
        static_cast<std::size_t>(std::strtoull(digits.c_str(), nullptr, 8));
    ByteVector bytes(size);
    archive.read(
        reinterpret_cast<char*>(bytes.data()),
        static_cast<std::streamsize>(size));
    archive.ignore(
        static_cast<std::streamsize>((kBlock - size % kBlock) % kBlock));
    if (header[156] == '0' || header[156] == '\0') {
      files.push_back({name, std::move(bytes)});
    }
  }
  return files;
}

/// A file of the folder that $SWAVD_TEST_DATA names; empty when it is unset or
/// has no such file.
inline std::filesystem::path test_data(const std::string& name) {
  const char* folder = std::getenv("SWAVD_TEST_DATA");
  if (folder == nullptr) {
    return {};
  }
  const std::filesystem::path path = std::filesystem::path(folder) / name;
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

}  // namespace swavd::loader::testing
