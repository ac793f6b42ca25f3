#include "tests/odd_files/odd_files.h"

#include <algorithm>
#include <iterator>

#include "ops/base/check.h"
#include "tests/odd_files/parts.h"

namespace swavd::odd_files {

namespace {

const ByteVector& bytes_of(const Files& files, std::string_view name) {
  const auto found =
      std::find_if(files.begin(), files.end(), [&](const OddFile& file) {
        return file.name == name;
      });
  SWAVD_CHECK(found != files.end());
  return found->bytes;
}

void append(Files& files, Files more) {
  std::move(more.begin(), more.end(), std::back_inserter(files));
}

}  // namespace

std::vector<OddFile> make_odd_files(std::uint64_t seed) {
  Files files;
  append(files, jpeg_files(seed));
  append(files, png_files(seed));
  append(files, webp_files(seed));
  append(files, gif_files(seed));
  append(
      files,
      other_files(
          bytes_of(files, "jpeg/rgb-420"),
          bytes_of(files, "png/color-8"),
          bytes_of(files, "gif/plain")));
  std::sort(files.begin(), files.end(), [](const OddFile& a, const OddFile& b) {
    return a.name < b.name;
  });
  return files;
}

}  // namespace swavd::odd_files
