// write_corpus FOLDER: writes the odd files that a target can start from to
// FOLDER/TARGET, one folder for each fuzz target.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>

#include "tests/fuzz/targets.h"
#include "tests/odd_files/odd_files.h"

namespace {

// Larger ones only slow a fuzzer down.
constexpr std::size_t kMaxBytes = 16U << 10U;

bool write(
    const std::filesystem::path& path,
    const swavd::odd_files::OddFile& file) {
  std::ofstream out(path, std::ios::binary);
  out.write(
      reinterpret_cast<const char*>(file.bytes.data()),
      static_cast<std::streamsize>(file.bytes.size()));
  return out.good();
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: write_corpus FOLDER\n");
    return 64;
  }
  const auto files = swavd::odd_files::make_odd_files();
  std::size_t written = 0;
  for (const auto& target : swavd::fuzz::targets()) {
    const auto folder = std::filesystem::path(arguments[1]) / target.name;
    std::filesystem::create_directories(folder);
    for (const auto& file : files) {
      if (!file.name.starts_with(target.format) ||
          file.bytes.size() > kMaxBytes) {
        continue;
      }
      std::string name = file.name;
      std::replace(name.begin(), name.end(), '/', '_');
      if (!write(folder / name, file)) {
        fmt::print(stderr, "cannot write {}\n", (folder / name).string());
        return 74;
      }
      ++written;
    }
  }
  fmt::print(
      "{} files for {} targets\n", written, swavd::fuzz::targets().size());
  return 0;
}
