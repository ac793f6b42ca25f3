#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace swavd::ingest::testing {

/// A folder of its own for one test, gone with it.
class TempFolder {
 public:
  TempFolder() {
    std::string name =
        (std::filesystem::path(::testing::TempDir()) / "crawl-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }

  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  ~TempFolder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Writes a file, with its folders, and gives its path.
  std::string write(const std::string& name, const std::string& content) const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file.string();
  }

  /// Writes a file with one line for each text, and gives its path.
  std::string write_lines(
      const std::string& name,
      const std::vector<std::string>& lines) const {
    std::string content;
    for (const std::string& line : lines) {
      content += line + "\n";
    }
    return write(name, content);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace swavd::ingest::testing
