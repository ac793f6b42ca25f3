#include "tests/odd_files/odd_files.h"

#include <algorithm>
#include <iterator>

#include "tests/odd_files/parts.h"

namespace swavd::odd_files {

namespace {

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
  append(files, bmp_files(seed));
  append(files, tiff_files(seed));
  append(files, avif_files(seed));
  append(
      files,
      other_files(
          named(files, "jpeg/rgb-420").bytes,
          named(files, "png/color-8").bytes,
          named(files, "gif/plain").bytes));
  std::sort(files.begin(), files.end(), [](const OddFile& a, const OddFile& b) {
    return a.name < b.name;
  });
  return files;
}

}  // namespace swavd::odd_files
