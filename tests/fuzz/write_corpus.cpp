// write_corpus FOLDER: writes the odd files and the golden ones that a target
// can start from to FOLDER/TARGET, one folder for each fuzz target.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "dedup_free_loader/image.h"
#include "tests/fuzz/targets.h"
#include "tests/odd_files/odd_files.h"

namespace {

// Larger ones only slow a fuzzer down.
constexpr std::size_t kMaxBytes = 16U << 10U;

/// Small files that decode, of formats without odd ones, too.
std::vector<swavd::odd_files::OddFile> golden_files() {
  std::vector<swavd::odd_files::OddFile> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           SWAVD_TEST_SOURCE_DIR "/tests/golden/images")) {
    std::ifstream in(entry.path(), std::ios::binary);
    swavd::odd_files::OddFile file;
    file.bytes.assign(std::istreambuf_iterator<char>(in), {});
    const auto format = swavd::loader::sniff_format(file.bytes);
    if (format != "unknown") {  // the pixels that belong to another one
      file.name = fmt::format(
          "{}/golden_{}_{}",
          format,
          entry.path().parent_path().filename().string(),
          entry.path().filename().string());
      files.push_back(std::move(file));
    }
  }
  return files;
}

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
  auto files = swavd::odd_files::make_odd_files();
  std::ranges::move(golden_files(), std::back_inserter(files));
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
