#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <utility>

#include <fmt/format.h>

// jpeglib.h needs FILE and size_t from the headers above.
#include <jpeglib.h>

#include "ops/base/check.h"
#include "tests/odd_files/parts.h"

namespace swavd::odd_files {

namespace {

constexpr int kWidth = 45;  // no multiple of a block
constexpr int kHeight = 35;

struct Settings {
  int width = kWidth;
  int height = kHeight;
  int channels = 3;
  J_COLOR_SPACE from = JCS_RGB;
  J_COLOR_SPACE to = JCS_YCbCr;
  /// Across and down, of the first component and of the others.
  std::array<int, 2> first = {1, 1};
  std::array<int, 2> others = {1, 1};
  /// What else there is to set, after all defaults.
  std::function<void(jpeg_compress_struct&)> more;
};

/// Segments behind the header: a marker and its bytes.
using Segments = std::vector<std::pair<int, ByteVector>>;

ByteVector encoded(
    std::uint64_t seed,
    const Settings& settings,
    const Segments& segments = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};  // its `error_exit` ends the program
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = static_cast<JDIMENSION>(settings.width);
  info.image_height = static_cast<JDIMENSION>(settings.height);
  info.input_components = settings.channels;
  info.in_color_space = settings.from;
  jpeg_set_defaults(&info);
  jpeg_set_colorspace(&info, settings.to);
  for (int i = 0; i < info.num_components; ++i) {
    // The fourth of YCCK is black, as fine as the first.
    const auto& factors = i == 0 || i == 3 ? settings.first : settings.others;
    info.comp_info[i].h_samp_factor = factors[0];
    info.comp_info[i].v_samp_factor = factors[1];
  }
  if (settings.more) {
    settings.more(info);
  }
  jpeg_start_compress(&info, TRUE);
  for (const auto& [marker, bytes] : segments) {
    jpeg_write_marker(
        &info, marker, bytes.data(), static_cast<unsigned>(bytes.size()));
  }
  ByteVector pixels =
      picture(seed, settings.width, settings.height, settings.channels);
  const std::size_t stride = pixels.size() / info.image_height;
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = pixels.data() + info.next_scanline * stride;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  ByteVector file(memory, memory + size);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return file;
}

/// Every segment, the entropy-coded bytes of a scan with its header.
std::vector<Part> parts_of(const ByteVector& file) {
  std::vector<Part> parts;
  std::size_t at = 2;
  while (at + 4 <= file.size()) {
    const std::uint8_t marker = file[at + 1];
    std::size_t end = at + 2 + (std::size_t{file[at + 2]} << 8U) + file[at + 3];
    if (marker == 0xda) {
      const auto is_data = [&](std::size_t i) {
        const std::uint8_t next = file[i + 1];
        return file[i] != 0xff || next == 0 || (next >= 0xd0 && next <= 0xd7);
      };
      while (end + 1 < file.size() && is_data(end)) {
        ++end;
      }
    }
    parts.push_back({fmt::format("ff{:02x}", marker), at, end});
    at = end;
  }
  return parts;
}

std::size_t place_of(const ByteVector& file, std::uint8_t marker) {
  for (const Part& part : parts_of(file)) {
    if (file[part.at + 1] == marker) {
      return part.at;
    }
  }
  SWAVD_CHECK(false);
  return 0;
}

/// The file with the sides that its frame header says.
ByteVector
with_size(const ByteVector& file, std::uint32_t width, std::uint32_t height) {
  std::size_t frame = 0;
  for (const Part& part : parts_of(file)) {
    const std::uint8_t marker = file[part.at + 1];
    if (marker >= 0xc0 && marker <= 0xcf && marker % 4 != 0) {
      frame = part.at;
    }
    if (marker == 0xc0) {
      frame = part.at;
    }
  }
  SWAVD_CHECK(frame != 0);
  return overwritten(
      file, frame + 5, Writer().big(height, 2).big(width, 2).done());
}

void add_subsampled(std::uint64_t seed, Files& files) {
  struct Sampling {
    const char* name;
    std::array<int, 2> first, others;
  };

  for (const Sampling& sampling : {
           Sampling{"444", {1, 1}, {1, 1}},
           Sampling{"422", {2, 1}, {1, 1}},
           Sampling{"420", {2, 2}, {1, 1}},
           Sampling{"411", {4, 1}, {1, 1}},
           Sampling{"440", {1, 2}, {1, 1}},
           Sampling{"410", {4, 2}, {1, 1}},
           Sampling{"441", {1, 4}, {1, 1}},
           Sampling{"444-of-large-blocks", {2, 1}, {2, 1}},
           Sampling{"finer-chroma", {1, 1}, {2, 2}},
           Sampling{"thirds", {3, 1}, {1, 1}},
       }) {
    Settings settings;
    settings.first = sampling.first;
    settings.others = sampling.others;
    files.push_back(
        {fmt::format("jpeg/rgb-{}", sampling.name),
         Kind::kGood,
         "image",
         encoded(seed, settings)});
    settings.more = [](auto& info) { jpeg_simple_progression(&info); };
    files.push_back(
        {fmt::format("jpeg/progressive-{}", sampling.name),
         Kind::kGood,
         "image",
         encoded(seed, settings)});
  }
}

/// One component a scan, without progression.
void separate_components(jpeg_compress_struct& info) {
  static const std::array<jpeg_scan_info, 3> kScans = {
      {{1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}}};
  info.scan_info = kScans.data();
  info.num_scans = static_cast<int>(kScans.size());
}

Settings with(std::function<void(jpeg_compress_struct&)> more) {
  Settings settings;
  settings.first = {2, 2};
  settings.more = std::move(more);
  return settings;
}

Settings of_color(int channels, J_COLOR_SPACE from, J_COLOR_SPACE to) {
  Settings settings;
  settings.channels = channels;
  settings.from = from;
  settings.to = to;
  return settings;
}

Settings of_size(int width, int height) {
  Settings settings;
  settings.width = width;
  settings.height = height;
  settings.first = {2, 2};
  return settings;
}

void add_modes(std::uint64_t seed, Files& files) {
  const auto add = [&](const char* name,
                       const Settings& settings,
                       const char* verdict = "image") {
    files.push_back(
        {fmt::format("jpeg/{}", name),
         Kind::kGood,
         verdict,
         encoded(seed, settings)});
  };
  add("gray", of_color(1, JCS_GRAYSCALE, JCS_GRAYSCALE));
  add("rgb-untransformed", of_color(3, JCS_RGB, JCS_RGB));
  add("cmyk", of_color(4, JCS_CMYK, JCS_CMYK));
  add("ycck", of_color(4, JCS_CMYK, JCS_YCCK));
  Settings ycck = of_color(4, JCS_CMYK, JCS_YCCK);
  ycck.first = {2, 2};
  add("ycck-420", ycck);
  Settings no_adobe = of_color(4, JCS_CMYK, JCS_CMYK);
  no_adobe.more = [](auto& info) { info.write_Adobe_marker = FALSE; };
  add("cmyk-without-adobe", no_adobe);
  Settings gray = of_color(1, JCS_GRAYSCALE, JCS_GRAYSCALE);
  gray.more = [](auto& info) { jpeg_simple_progression(&info); };
  add("progressive-gray", gray);
  Settings two = of_color(2, JCS_UNKNOWN, JCS_UNKNOWN);
  add("two-components", two, "unsupported");
  add("arithmetic", with([](auto& info) { info.arith_code = TRUE; }));
  add("arithmetic-progressive", with([](auto& info) {
        info.arith_code = TRUE;
        jpeg_simple_progression(&info);
      }));
  add("scan-per-component", with(separate_components));
  add("restart-every-block",
      with([](auto& info) { info.restart_interval = 1; }));
  add("restart-every-row", with([](auto& info) { info.restart_in_rows = 1; }));
  add("progressive-restart", with([](auto& info) {
        info.restart_interval = 1;
        jpeg_simple_progression(&info);
      }));
  add("optimized", with([](auto& info) { info.optimize_coding = TRUE; }));
  add("quality-1", with([](auto& info) {
        jpeg_set_quality(&info, 1, /*force_baseline=*/TRUE);
      }));
  add("quality-100", with([](auto& info) {
        jpeg_set_quality(&info, 100, /*force_baseline=*/TRUE);
      }));
  add("without-jfif", with([](auto& info) { info.write_JFIF_header = FALSE; }));
  add("one-pixel", of_size(1, 1));
  add("one-row", of_size(64, 1));
  add("one-column", of_size(1, 64));
  add("whole-blocks", of_size(64, 64));
}

/// A file in as many ICC segments as `count`, each as large as there is.
ByteVector with_profile(std::uint64_t seed, int count) {
  constexpr std::size_t kRoom = 65533;
  Segments segments;
  for (int i = 1; i <= count; ++i) {
    Writer chunk;
    chunk.text("ICC_PROFILE").u8(0).u8(static_cast<std::uint32_t>(i));
    chunk.u8(static_cast<std::uint32_t>(count));
    chunk.fill(kRoom - chunk.done().size(), 0x20);
    segments.emplace_back(JPEG_APP0 + 2, chunk.done());
  }
  return encoded(seed, {}, segments);
}

void add_with_metadata(std::uint64_t seed, Files& files) {
  const auto add = [&](const char* name, ByteVector bytes) {
    files.push_back(
        {fmt::format("jpeg/{}", name), Kind::kGood, "image", std::move(bytes)});
  };
  const Writer exif = Writer()
                          .text("Exif")
                          .fill(2, 0)
                          .text("II*")
                          .u8(0)
                          .little(8, 4)
                          .little(1, 2)  // one entry: the orientation
                          .little(0x112, 2)
                          .little(3, 2)
                          .little(1, 4)
                          .little(6, 4)
                          .little(0, 4);
  add("exif-orientation", encoded(seed, {}, {{JPEG_APP0 + 1, exif.done()}}));
  const Writer thumbnail =
      Writer().text("Exif").fill(2, 0).bytes(encoded(seed, of_size(16, 16)));
  add("a-jpeg-within-exif",
      encoded(seed, {}, {{JPEG_APP0 + 1, thumbnail.done()}}));
  add("profile-in-a-segment", with_profile(seed, 1));
  const Writer zero = Writer().fill(2, 0);
  add("nonsense-segments",
      encoded(
          seed,
          {},
          {{JPEG_APP0 + 1, {}},
           {JPEG_APP0 + 2, zero.done()},
           {JPEG_APP0 + 13, zero.done()},
           {JPEG_COM, zero.done()}}));
}

void add_broken(const ByteVector& good, std::uint64_t seed, Files& files) {
  const auto add =
      [&](const std::string& name, const char* verdict, ByteVector bytes) {
        files.push_back(
            {"jpeg/" + name, Kind::kDamaged, verdict, std::move(bytes)});
      };
  add("height-0", "unsupported", with_size(good, kWidth, 0));
  add("width-0", "unsupported", with_size(good, 0, kHeight));
  add("height-65535", "", with_size(good, kWidth, 65535));
  add("width-65535", "", with_size(good, 65535, kHeight));
  add("sides-65535", "too_many_pixels", with_size(good, 65535, 65535));
  add("narrower-than-its-data", "", with_size(good, 8, kHeight));
  const std::size_t frame = place_of(good, 0xc0);
  const auto patched = [&](std::size_t at, std::uint8_t value) {
    return overwritten(good, at, ByteVector{value});
  };
  add("twelve-bits", "unsupported", patched(frame + 4, 12));
  add("lossless", "unsupported", patched(frame + 1, 0xc3));
  add("hierarchical", "unsupported", patched(frame + 1, 0xc5));
  add("fractional-sampling",
      "unsupported",
      overwritten(
          overwritten(good, frame + 11, ByteVector{0x31}),
          frame + 14,
          ByteVector{0x21}));
  add("sampling-0", "malformed", patched(frame + 11, 0x00));
  add("sampling-15", "malformed", patched(frame + 11, 0xff));
  add("baseline-called-progressive", "", patched(frame + 1, 0xc2));
  add("same-component-twice", "", patched(frame + 13, good[frame + 10]));
  add("missing-quantisation", "malformed", patched(frame + 12, 3));
  add("five-components", "", patched(frame + 9, 5));
  const std::vector<Part> parts = parts_of(good);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string name = fmt::format("{}-{}", i, parts[i].name);
    add("length-0-of-" + name,
        "",
        overwritten(good, parts[i].at + 2, ByteVector{0, 0}));
    add("length-65535-of-" + name,
        "",
        overwritten(good, parts[i].at + 2, ByteVector{0xff, 0xff}));
  }
  add("end-marker-alone", "", {0xff, 0xd8, 0xff, 0xd9});
  add("start-markers-alone", "", {0xff, 0xd8, 0xff, 0xd8, 0xff, 0xd8});
  add("restart-markers-out-of-order", "", [&] {
    ByteVector file =
        encoded(seed, with([](auto& info) { info.restart_interval = 1; }));
    for (std::size_t i = place_of(file, 0xda); i + 1 < file.size(); ++i) {
      if (file[i] == 0xff && file[i + 1] >= 0xd0 && file[i + 1] <= 0xd7) {
        file[i + 1] = 0xd3;
      }
    }
    return file;
  }());
}

constexpr std::uint32_t kWideSide = 65500;  // the most that libjpeg takes

/// A grey file up to its first scan: one table of Huffman codes for DC and one
/// for AC with one code, of one bit, for `ac_symbol`.
Writer gray_header(
    std::uint8_t frame_marker,
    std::uint32_t width,
    std::uint32_t height,
    std::uint8_t ac_symbol) {
  Writer file;
  file.big(0xffd8, 2);
  file.big(0xffdb, 2).big(67, 2).u8(0).fill(64, 1);
  file.u8(0xff).u8(frame_marker).big(11, 2).u8(8).big(height, 2).big(width, 2);
  file.u8(1).u8(1).u8(0x11).u8(0);
  file.big(0xffc4, 2).big(20, 2).u8(0x00).u8(1).fill(15, 0).u8(0);
  file.big(0xffc4, 2).big(20, 2).u8(0x10).u8(1).fill(15, 0).u8(ac_symbol);
  return file;
}

/// The header of a scan of coefficients `first` to `last`, whose bits from
/// `high` down to `low` it gives.
Writer& scan(Writer& file, int first, int last, int high, int low) {
  const auto number = [](int value) {
    return static_cast<std::uint32_t>(value);
  };
  file.big(0xffda, 2).big(8, 2).u8(1).u8(1).u8(0);
  return file.u8(number(first)).u8(number(last)).u8(number(high * 16 + low));
}

/// So many scans of ten bytes.
ByteVector scan_bomb(int scans) {
  Writer file = gray_header(0xc2, kWidth, kHeight, 0);
  scan(file, 0, 0, 0, 0).fill(8, 0);
  for (int i = 0; i < scans; ++i) {
    scan(file, 1, 63, 0, 0);
  }
  return file.big(0xffd9, 2).done();
}

/// A whole progressive picture of `side` x `side` pixels whose scans say, for
/// 32,767 blocks at a time, that nothing is there. Comments make it longer.
ByteVector large_scans(std::uint32_t side, int scans, int comments) {
  constexpr std::uint8_t kLongestRun = 0xe0;  // 2^14 and 14 bits more
  const std::size_t blocks = std::size_t{side / 8} * (side / 8);
  Writer file = gray_header(0xc2, side, side, kLongestRun);
  for (int i = 0; i < comments; ++i) {
    file.big(0xfffe, 2).big(65535, 2).fill(65533, 'c');
  }
  scan(file, 0, 0, 0, 0).fill(blocks / 8 + 1, 0);
  for (int i = 0; i < scans; ++i) {
    scan(file, 1 + i % 63, 1 + i % 63, 0, 0);
    // A code of one bit, 14 ones, again and again: fifteen bits in turn.
    const std::size_t runs = blocks / 32767 + 1;
    unsigned bits = 0;
    unsigned count = 0;
    for (std::size_t bit = 0; bit < runs * 15; ++bit) {
      bits = bits * 2 + (bit % 15 == 0 ? 0U : 1U);
      if (++count == 8) {
        file.u8(bits & 0xffU);
        if ((bits & 0xffU) == 0xff) {
          file.u8(0);
        }
        count = 0;
      }
    }
    file.u8(((bits << (8 - count)) | ((1U << (8 - count)) - 1)) & 0xfeU);
  }
  return file.big(0xffd9, 2).done();
}

void add_bombs(std::uint64_t seed, const ByteVector& good, Files& files) {
  const auto add = [&](const char* name,
                       const char* verdict,
                       ByteVector bytes) {
    files.push_back(
        {fmt::format("jpeg/{}", name), Kind::kBomb, verdict, std::move(bytes)});
  };
  add("progressive-scan-bomb", "unsupported", scan_bomb(400'000));
  add("progressive-scans-of-a-large-picture",
      "unsupported",
      large_scans(5792, 100, /*comments=*/2));
  add("blank-large-picture",
      "too_many_pixels",
      large_scans(5792, 1, /*comments=*/0));
  add("wide-header-on-few-bytes", "truncated", with_size(good, kWideSide, 512));
  add("tall-header-on-few-bytes", "truncated", with_size(good, 512, kWideSide));
  Settings progressive;
  progressive.more = [](auto& info) { jpeg_simple_progression(&info); };
  const ByteVector scans = encoded(seed, progressive);
  add("progressive-header-on-few-bytes",
      "truncated",
      with_size(scans, 5792, 5792));
  add("large-picture-cut-early", "truncated", [] {
    Writer file = gray_header(0xc0, 5792, 5792, 0);
    return scan(file, 0, 63, 0, 0).fill(100'000, 0).done();
  }());
  add("a-million-comments", "image", [&] {
    Writer file;
    file.bytes(cut(good, 2));
    for (int i = 0; i < 1'000'000; ++i) {
      file.big(0xfffe, 2).big(2, 2);
    }
    return file.bytes(Bytes(good).subspan(2)).done();
  }());
  add("megabytes-of-fill", "image", [&] {
    Writer file;
    file.bytes(cut(good, 2)).fill(4'000'000, 0xff);
    return file.bytes(Bytes(good).subspan(2)).done();
  }());
  add("profile-in-100-segments", "image", with_profile(seed, 100));
  add("megabytes-behind-the-end",
      "image",
      Writer().bytes(good).fill(4'000'000, 0x5a).done());
  add("scans-that-end-at-once", "", [&] {
    Writer file = gray_header(0xc0, 512, 512, 0);
    for (int i = 0; i < 100'000; ++i) {
      scan(file, 0, 63, 0, 0);
    }
    return file.big(0xffd9, 2).done();
  }());
}

}  // namespace

Files jpeg_files(std::uint64_t seed) {
  Files files;
  add_subsampled(seed, files);
  add_modes(seed, files);
  add_with_metadata(seed, files);
  constexpr std::array<std::string_view, 6> kBroken = {
      "jpeg/rgb-420",
      "jpeg/progressive-420",
      "jpeg/cmyk",
      "jpeg/arithmetic",
      "jpeg/restart-every-row",
      "jpeg/exif-orientation"};
  add_damaged(kBroken, parts_of, seed, files);
  const ByteVector plain = named(files, "jpeg/rgb-420").bytes;
  add_broken(plain, seed, files);
  add_bombs(seed, plain, files);
  return files;
}

}  // namespace swavd::odd_files
