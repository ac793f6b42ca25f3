#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "tests/odd_files/parts.h"

namespace swavd::odd_files {

namespace {

constexpr int kWidth = 35;
constexpr int kHeight = 23;
constexpr std::size_t kFileHeader = 14;
// Compressions.
constexpr std::uint32_t kRows = 0;
constexpr std::uint32_t kRuns8 = 1;
constexpr std::uint32_t kRuns4 = 2;
constexpr std::uint32_t kMasks = 3;

struct Header {
  std::uint32_t width = kWidth;
  std::uint32_t height = kHeight;
  std::uint32_t bits = 24;
  std::uint32_t compression = kRows;
  std::uint32_t bytes = 40;  ///< of the header
  std::uint32_t colors = 0;  ///< of the palette
  std::array<std::uint32_t, 3> masks{};
  std::optional<std::uint32_t> pixels_at;  ///< not where they are
};

ByteVector with_pixels(const Header& header, Bytes palette, Bytes pixels) {
  constexpr std::uint32_t kShort = 12;
  constexpr std::size_t kCommon = 40;
  Writer info;
  info.little(header.bytes, 4);
  if (header.bytes == kShort) {
    info.little(header.width, 2).little(header.height, 2).little(1, 2);
    info.little(header.bits, 2);
  } else {
    info.little(header.width, 4).little(header.height, 4).little(1, 2);
    info.little(header.bits, 2).little(header.compression, 4);
    info.little(static_cast<std::uint32_t>(pixels.size()), 4);
    info.little(2835, 4).little(2835, 4).little(header.colors, 4).little(0, 4);
  }
  if (header.compression == kMasks) {
    for (const std::uint32_t mask : header.masks) {
      info.little(mask, 4);
    }
  }
  if (header.bytes > kCommon && info.done().size() < header.bytes) {
    info.fill(header.bytes - info.done().size(), 0);
  }
  const auto at = static_cast<std::uint32_t>(
      kFileHeader + info.done().size() + palette.size());
  return Writer()
      .text("BM")
      .little(at + static_cast<std::uint32_t>(pixels.size()), 4)
      .little(0, 4)
      .little(header.pixels_at.value_or(at), 4)
      .bytes(info.done())
      .bytes(palette)
      .bytes(pixels)
      .done();
}

/// Rows of a picture, each filled up to four bytes.
ByteVector rows(std::uint64_t seed, const Header& header) {
  const std::size_t stride = (header.width * header.bits + 31) / 32 * 4;
  return picture(
      seed, static_cast<int>(stride), static_cast<int>(header.height), 1);
}

ByteVector palette(std::uint64_t seed, std::uint32_t colors, int bytes = 4) {
  return picture(seed + 1, static_cast<int>(colors), 1, bytes);
}

ByteVector encoded(std::uint64_t seed, const Header& header) {
  constexpr std::uint32_t kShort = 12;
  const std::uint32_t colors = header.bits <= 8 ? 1U << header.bits : 0;
  return with_pixels(
      header,
      palette(seed, colors, header.bytes == kShort ? 3 : 4),
      rows(seed, header));
}

/// Runs of every kind: pixels repeated, pixels as they are, the end of a row,
/// a move, the end of the picture.
ByteVector runs(std::uint32_t bits) {
  Writer runs;
  for (int y = 0; y < kHeight - 3; ++y) {
    const auto color = static_cast<std::uint32_t>(y * 7 + 1);
    if (y % 3 == 0) {  // eight as they are
      runs.u8(0).u8(8).fill(bits, static_cast<std::uint8_t>(color));
      runs.u8(kWidth - 8).u8(color + 3);
    } else {
      runs.u8(kWidth).u8(color);
    }
    runs.u8(0).u8(0);
  }
  return runs.u8(0).u8(2).u8(5).u8(1).u8(9).u8(77).u8(0).u8(1).done();
}

Header run_header(std::uint32_t compression) {
  Header header;
  header.compression = compression;
  header.bits = compression == kRuns8 ? 8 : 4;
  return header;
}

ByteVector with_runs(std::uint64_t seed, const Header& header, Bytes runs) {
  return with_pixels(header, palette(seed, 1U << header.bits), runs);
}

std::vector<Part> parts_of(const ByteVector& file) {
  std::size_t pixels = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    pixels |= std::size_t{file[10 + i]} << (8 * i);
  }
  const std::size_t info = kFileHeader + file[kFileHeader];
  std::vector<Part> parts = {
      {"file-header", 0, kFileHeader}, {"header", kFileHeader, info}};
  if (pixels > info) {
    parts.push_back({"palette", info, pixels});
  }
  parts.push_back({"pixels", pixels, file.size()});
  return parts;
}

void add_modes(std::uint64_t seed, Files& files) {
  const auto add = [&](const std::string& name, ByteVector bytes) {
    files.push_back({"bmp/" + name, Kind::kGood, "image", std::move(bytes)});
  };
  for (const std::uint32_t bits : {1U, 2U, 4U, 8U, 16U, 24U, 32U}) {
    Header header;
    header.bits = bits;
    add(fmt::format("of-{}-bits", bits), encoded(seed, header));
    header.height = 0U - kHeight;
    add(fmt::format("of-{}-bits-top-down", bits), [&] {
      Header upright = header;
      upright.height = kHeight;
      const std::uint32_t colors = bits <= 8 ? 1U << bits : 0;
      return with_pixels(header, palette(seed, colors), rows(seed, upright));
    }());
  }
  for (const std::uint32_t bytes : {12U, 52U, 56U, 64U, 108U, 124U}) {
    Header header;
    header.bytes = bytes;
    header.bits = 8;
    add(fmt::format("header-of-{}-bytes", bytes), encoded(seed, header));
  }
  Header masks;
  masks.compression = kMasks;
  masks.bits = 16;
  masks.masks = {0xf800, 0x7e0, 0x1f};
  add("masks-565", encoded(seed, masks));
  masks.bits = 32;
  masks.masks = {0x3ff00000, 0xffc00, 0x3ff};
  add("masks-of-ten-bits", encoded(seed, masks));
  add("runs-8", with_runs(seed, run_header(kRuns8), runs(8)));
  add("runs-4", with_runs(seed, run_header(kRuns4), runs(4)));
}

void add_broken(std::uint64_t seed, Files& files) {
  const auto add =
      [&](const char* name, const char* verdict, const ByteVector& bytes) {
        files.push_back(
            {fmt::format("bmp/{}", name), Kind::kDamaged, verdict, bytes});
      };
  const auto sized = [&](std::uint32_t width, std::uint32_t height) {
    Header header;
    const ByteVector pixels = rows(seed, header);
    header.width = width;
    header.height = height;
    return with_pixels(header, {}, pixels);
  };
  add("width-0", "malformed", sized(0, kHeight));
  add("height-0", "malformed", sized(kWidth, 0));
  add("sides-65535", "too_many_pixels", sized(65535, 65535));
  add("sides-4294967295", "too_many_pixels", sized(0xffffffff, 0xffffffff));
  add("height-of-the-least-number", "too_many_pixels", sized(7, 0x80000000));
  add("wider-than-its-rows", "truncated", sized(5000, 5000));
  const auto changed = [&](const auto& change) {
    Header header;
    change(header);
    return with_pixels(header, {}, rows(seed, Header{}));
  };
  add("bits-0", "unsupported", changed([](Header& h) { h.bits = 0; }));
  add("bits-3", "unsupported", changed([](Header& h) { h.bits = 3; }));
  add("bits-64", "unsupported", changed([](Header& h) { h.bits = 64; }));
  for (const std::uint32_t kind : {4U, 5U, 6U, 11U, 4294967295U}) {
    add(fmt::format("compression-{}", kind).c_str(),
        "unsupported",
        changed([kind](Header& h) { h.compression = kind; }));
  }
  add("runs-of-24-bits", "unsupported", changed([](Header& h) {
        h.compression = kRuns8;
      }));
  add("pixels-far-behind-the-end", "truncated", changed([](Header& h) {
        h.pixels_at = 0xfffffff0;
      }));
  add("pixels-within-the-header", "", changed([](Header& h) {
        h.pixels_at = 20;
      }));
  Header colors;
  colors.bits = 8;
  colors.colors = 0xffffffff;
  add("palette-of-4294967295-colors", "", encoded(seed, colors));
  Header masks;
  masks.compression = kMasks;
  masks.bits = 32;
  masks.masks = {0xf0f0f0f0, 0xff00, 0xff};
  add("masks-with-holes", "unsupported", encoded(seed, masks));
  masks.masks = {0xffffffff, 0xffffffff, 0};
  add("masks-over-each-other", "image", encoded(seed, masks));
  const Header eight = run_header(kRuns8);
  const auto run_file = [&](const Writer& runs) {
    return with_runs(seed, eight, runs.done());
  };
  add("no-runs", "truncated", run_file(Writer()));
  add("runs-longer-than-rows",
      "image",
      run_file(Writer().u8(255).u8(9).u8(255).u8(8).u8(0).u8(1)));
  add("runs-that-move-away",
      "image",
      run_file(Writer().u8(0).u8(2).u8(255).u8(255).u8(5).u8(1).u8(0).u8(1)));
  add("move-without-a-place", "truncated", run_file(Writer().u8(0).u8(2)));
  add("pixels-cut-within-a-run",
      "truncated",
      run_file(Writer().u8(0).u8(200).fill(20, 3)));
}

void add_bombs(std::uint64_t seed, Files& files) {
  const auto add = [&](const char* name,
                       const char* verdict,
                       const ByteVector& bytes) {
    files.push_back({fmt::format("bmp/{}", name), Kind::kBomb, verdict, bytes});
  };
  Header large = run_header(kRuns8);
  large.width = large.height = 5792;
  add("large-header-and-the-end",
      "too_many_pixels",
      with_runs(seed, large, Writer().u8(0).u8(1).done()));
  Writer full;
  for (int i = 0; i < 5000; ++i) {
    full.u8(255).u8(1);
  }
  add("large-header-on-few-runs",
      "too_many_pixels",
      with_runs(seed, large, full.done()));
  Header rows_missing;
  rows_missing.bits = 1;
  rows_missing.width = rows_missing.height = 5792;
  add("large-header-on-few-rows",
      "truncated",
      with_pixels(rows_missing, palette(seed, 2), ByteVector(100, 0)));
  Writer nothing;  // pixels repeated no times, as they are none
  for (int i = 0; i < 2'000'000; ++i) {
    nothing.u8(0).u8(2).u8(0).u8(0);
  }
  add("moves-to-where-it-is",
      "truncated",
      with_runs(seed, run_header(kRuns8), nothing.done()));
  Writer beyond;
  for (int i = 0; i < 2'000'000; ++i) {
    beyond.u8(255).u8(1);
  }
  add("a-row-without-end",
      "truncated",
      with_runs(seed, run_header(kRuns8), beyond.done()));
  Writer four;
  for (int i = 0; i < 30'000; ++i) {
    four.u8(0).u8(254).fill(128, 0x12);
  }
  add("a-row-of-four-bits-without-end",
      "truncated",
      with_runs(seed, run_header(kRuns4), four.done()));
  add("megabytes-behind-the-end",
      "image",
      Writer().bytes(encoded(seed, {})).fill(4'000'000, 0x5a).done());
}

}  // namespace

Files bmp_files(std::uint64_t seed) {
  Files files;
  add_modes(seed, files);
  constexpr std::array<std::string_view, 4> kBroken = {
      "bmp/of-24-bits", "bmp/of-8-bits", "bmp/runs-8", "bmp/masks-565"};
  add_damaged(kBroken, parts_of, seed, files);
  add_broken(seed, files);
  add_bombs(seed, files);
  return files;
}

}  // namespace swavd::odd_files
