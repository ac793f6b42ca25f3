#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

#include <fmt/format.h>
#include <tiffio.h>

#include "ops/base/check.h"
#include "tests/odd_files/parts.h"

namespace swavd::odd_files {

namespace {

constexpr std::uint32_t kWidth = 37;
constexpr std::uint32_t kHeight = 26;

struct Layout {
  std::uint32_t width = kWidth;
  std::uint32_t height = kHeight;
  std::uint16_t photometric = PHOTOMETRIC_RGB;
  std::uint16_t samples = 3;
  std::uint16_t bits = 8;
  std::uint16_t compression = COMPRESSION_NONE;
  bool planes = false;
  bool tiles = false;
  std::uint32_t rows_per_strip = 7;
  int orientation = 1;
  ByteVector profile;
  const char* mode = "wl";  ///< "wb": big-endian, "w8": with 64-bit offsets
};

/// A file in memory, as libtiff writes one.
struct Memory {
  ByteVector bytes;
  std::size_t place = 0;
};

Memory& memory_of(thandle_t handle) {
  return *static_cast<Memory*>(handle);
}

tmsize_t read(thandle_t handle, void* target, tmsize_t wanted) {
  Memory& memory = memory_of(handle);
  const std::size_t left =
      memory.bytes.size() - std::min(memory.place, memory.bytes.size());
  const std::size_t count = std::min(left, static_cast<std::size_t>(wanted));
  std::copy_n(
      memory.bytes.begin() + static_cast<std::ptrdiff_t>(memory.place),
      count,
      static_cast<std::uint8_t*>(target));
  memory.place += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t write(thandle_t handle, void* source, tmsize_t count) {
  Memory& memory = memory_of(handle);
  const auto bytes = static_cast<std::size_t>(count);
  memory.bytes.resize(std::max(memory.bytes.size(), memory.place + bytes));
  std::copy_n(
      static_cast<const std::uint8_t*>(source),
      bytes,
      memory.bytes.begin() + static_cast<std::ptrdiff_t>(memory.place));
  memory.place += bytes;
  return count;
}

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  Memory& memory = memory_of(handle);
  const std::size_t from = whence == SEEK_CUR   ? memory.place
                           : whence == SEEK_END ? memory.bytes.size()
                                                : 0;
  memory.place = from + offset;
  return memory.place;
}

int close(thandle_t) {
  return 0;
}

toff_t size(thandle_t handle) {
  return memory_of(handle).bytes.size();
}

void set_tags(TIFF* tiff, const Layout& layout) {
  constexpr std::uint32_t kTile = 16;
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, layout.width);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, layout.height);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, layout.bits);
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, layout.samples);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, layout.photometric);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, layout.compression);
  TIFFSetField(tiff, TIFFTAG_ORIENTATION, layout.orientation);
  TIFFSetField(
      tiff,
      TIFFTAG_PLANARCONFIG,
      layout.planes ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
  if (layout.tiles) {
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, kTile);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, kTile);
  } else {
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, layout.rows_per_strip);
  }
  if (!layout.profile.empty()) {
    TIFFSetField(
        tiff,
        TIFFTAG_ICCPROFILE,
        static_cast<std::uint32_t>(layout.profile.size()),
        layout.profile.data());
  }
  if (layout.photometric == PHOTOMETRIC_PALETTE) {
    std::vector<std::uint16_t> ramp(std::size_t{1} << layout.bits);
    for (std::size_t i = 0; i < ramp.size(); ++i) {
      ramp[i] = static_cast<std::uint16_t>(i * 65535 / (ramp.size() - 1));
    }
    TIFFSetField(tiff, TIFFTAG_COLORMAP, ramp.data(), ramp.data(), ramp.data());
  }
}

ByteVector encoded(std::uint64_t seed, const Layout& layout) {
  Memory memory;
  TIFF* const tiff = TIFFClientOpen(
      "odd",
      layout.mode,
      &memory,
      read,
      write,
      seek,
      close,
      size,
      nullptr,
      nullptr);
  SWAVD_CHECK(tiff != nullptr);
  set_tags(tiff, layout);
  const std::uint32_t blocks =
      layout.tiles ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
  const tmsize_t bytes = layout.tiles ? TIFFTileSize(tiff) : 0;
  for (std::uint32_t block = 0; block < blocks; ++block) {
    const std::uint32_t in_plane =
        block % (blocks / (layout.planes ? layout.samples : 1U));
    const std::uint32_t rows = std::min(
        layout.rows_per_strip,
        layout.height - in_plane * layout.rows_per_strip);
    const tmsize_t size = layout.tiles ? bytes : TIFFVStripSize(tiff, rows);
    ByteVector pixels = picture(seed + block, static_cast<int>(size), 1, 1);
    SWAVD_CHECK(
        (layout.tiles ? TIFFWriteEncodedTile(tiff, block, pixels.data(), size)
                      : TIFFWriteEncodedStrip(
                            tiff, block, pixels.data(), size)) == size);
  }
  TIFFClose(tiff);
  return memory.bytes;
}

/// A TIFF of one strip with these tags, written by hand: what no library does.
struct Tag {
  std::uint32_t number = 0;
  std::uint32_t type = 4;  ///< 3: 16 bits, 4: 32
  std::uint32_t count = 1;
  std::uint32_t value = 0;
};

constexpr std::uint32_t kStrip = 8;  // where it begins

std::vector<Tag> tags(std::uint32_t width, std::uint32_t height, Bytes strip) {
  return {
      {TIFFTAG_IMAGEWIDTH, 4, 1, width},
      {TIFFTAG_IMAGELENGTH, 4, 1, height},
      {TIFFTAG_BITSPERSAMPLE, 3, 1, 8},
      {TIFFTAG_COMPRESSION, 3, 1, COMPRESSION_NONE},
      {TIFFTAG_PHOTOMETRIC, 3, 1, PHOTOMETRIC_MINISBLACK},
      {TIFFTAG_STRIPOFFSETS, 4, 1, kStrip},
      {TIFFTAG_ROWSPERSTRIP, 4, 1, height},
      {TIFFTAG_STRIPBYTECOUNTS, 4, 1, static_cast<std::uint32_t>(strip.size())},
  };
}

std::vector<Tag>
with(std::vector<Tag> tags, std::uint32_t number, const Tag& tag) {
  std::erase_if(tags, [&](const Tag& each) { return each.number == number; });
  tags.push_back(tag);
  std::sort(tags.begin(), tags.end(), [](const Tag& a, const Tag& b) {
    return a.number < b.number;
  });
  return tags;
}

ByteVector
written(const std::vector<Tag>& tags, Bytes strip, std::uint32_t next = 0) {
  const auto at =
      static_cast<std::uint32_t>(kStrip + strip.size() + strip.size() % 2);
  Writer file;
  file.text("II").little(42, 2).little(at, 4).bytes(strip);
  file.fill(strip.size() % 2, 0);
  file.little(static_cast<std::uint32_t>(tags.size()), 2);
  for (const Tag& tag : tags) {
    file.little(tag.number, 2).little(tag.type, 2).little(tag.count, 4);
    file.little(tag.value, 4);
  }
  return file.little(next, 4).done();
}

/// Of a file as libtiff writes it, in the lowest byte first: the header, the
/// blocks, the directory.
std::vector<Part> parts_of(const ByteVector& file) {
  std::size_t directory = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    directory |= std::size_t{file[4 + i]} << (8 * i);
  }
  const std::size_t entries = file[directory] | file[directory + 1] << 8U;
  std::vector<Part> parts = {
      {"header", 0, kStrip}, {"blocks", kStrip, directory}};
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t at = directory + 2 + 12 * i;
    parts.push_back(
        {fmt::format("tag-{}", file[at] | file[at + 1] << 8U), at, at + 12});
  }
  return parts;
}

void add_modes(std::uint64_t seed, Files& files) {
  const auto add = [&](const std::string& name, const Layout& layout) {
    files.push_back(
        {"tiff/" + name, Kind::kGood, "image", encoded(seed, layout)});
  };

  struct Named {
    const char* name;
    std::uint16_t number;
  };

  for (const Named& each : std::initializer_list<Named>{
           {"none", COMPRESSION_NONE},
           {"lzw", COMPRESSION_LZW},
           {"deflate", COMPRESSION_ADOBE_DEFLATE},
           {"packbits", COMPRESSION_PACKBITS},
           {"jpeg", COMPRESSION_JPEG},
           {"lzma", COMPRESSION_LZMA},
           {"zstd", COMPRESSION_ZSTD},
           {"webp", COMPRESSION_WEBP}}) {
    Layout layout;
    layout.compression = each.number;
    layout.rows_per_strip = 8;
    add(fmt::format("rgb-{}", each.name), layout);
  }
  for (const Named& each : std::initializer_list<Named>{
           {"rle", COMPRESSION_CCITTRLE},
           {"group3", COMPRESSION_CCITTFAX3},
           {"group4", COMPRESSION_CCITTFAX4}}) {
    Layout layout;
    layout.photometric = PHOTOMETRIC_MINISWHITE;
    layout.samples = layout.bits = 1;
    layout.compression = each.number;
    add(fmt::format("bilevel-{}", each.name), layout);
  }
  for (const std::uint16_t bits :
       std::array<std::uint16_t, 5>{1, 2, 4, 8, 16}) {
    Layout layout;
    layout.photometric = PHOTOMETRIC_MINISBLACK;
    layout.samples = 1;
    layout.bits = bits;
    add(fmt::format("gray-{}", bits), layout);
    if (bits <= 8) {
      layout.photometric = PHOTOMETRIC_PALETTE;
      add(fmt::format("palette-{}", bits), layout);
    }
  }
  Layout layout;
  layout.bits = 16;
  add("rgb-16", layout);
  layout.mode = "wb";
  add("rgb-16-big-endian", layout);
  layout = {};
  layout.mode = "w8";
  add("of-64-bit-offsets", layout);
  layout = {};
  layout.planes = true;
  add("planes", layout);
  layout.tiles = true;
  add("tiled-planes", layout);
  layout.planes = false;
  layout.compression = COMPRESSION_LZW;
  add("tiles", layout);
  layout = {};
  layout.photometric = PHOTOMETRIC_SEPARATED;
  layout.samples = 4;
  add("inks", layout);
  for (int orientation = 2; orientation <= 8; orientation += 3) {
    layout = {};
    layout.orientation = orientation;
    add(fmt::format("orientation-{}", orientation), layout);
  }
  layout = {};
  layout.profile = ByteVector(10'000, 0x33);
  add("profile-of-no-meaning", layout);
}

void add_broken(Files& files) {
  const auto add =
      [&](const char* name, const char* verdict, const ByteVector& bytes) {
        files.push_back(
            {fmt::format("tiff/{}", name), Kind::kDamaged, verdict, bytes});
      };
  const ByteVector strip(kWidth * kHeight, 77);
  const std::vector<Tag> good = tags(kWidth, kHeight, strip);
  const auto but = [&](const Tag& tag) {
    return written(with(good, tag.number, tag), strip);
  };
  add("as-written-by-hand", "image", written(good, strip));
  add("directory-that-follows-itself",
      "image",
      written(good, strip, kStrip + kWidth * kHeight));
  add("directory-far-behind-the-end",
      "",
      Writer().text("II").little(42, 2).little(0xfffffff0, 4).done());
  add("directory-within-the-header",
      "",
      Writer().text("II").little(42, 2).little(2, 4).bytes(strip).done());
  add("no-tags", "", written({}, strip));
  add("width-0", "malformed", but({TIFFTAG_IMAGEWIDTH, 4, 1, 0}));
  add("height-0", "malformed", but({TIFFTAG_IMAGELENGTH, 4, 1, 0}));
  add("sides-4294967295",
      "malformed",
      written(tags(0xffffffff, 0xffffffff, strip), strip));
  add("taller-than-its-strip", "truncated", [&] {
    return written(tags(kWidth, 5 * kHeight, strip), strip);
  }());
  add("bits-0", "", but({TIFFTAG_BITSPERSAMPLE, 3, 1, 0}));
  add("bits-3", "unsupported", but({TIFFTAG_BITSPERSAMPLE, 3, 1, 3}));
  add("bits-64", "unsupported", but({TIFFTAG_BITSPERSAMPLE, 3, 1, 64}));
  add("samples-0", "", but({TIFFTAG_SAMPLESPERPIXEL, 3, 1, 0}));
  add("samples-65535", "", but({TIFFTAG_SAMPLESPERPIXEL, 3, 1, 65535}));
  add("compression-unknown",
      "unsupported",
      but({TIFFTAG_COMPRESSION, 3, 1, 31000}));
  add("compression-of-old-jpeg",
      "unsupported",
      but({TIFFTAG_COMPRESSION, 3, 1, COMPRESSION_OJPEG}));
  add("photometric-unknown",
      "unsupported",
      but({TIFFTAG_PHOTOMETRIC, 3, 1, 12345}));
  add("palette-missing",
      "",
      but({TIFFTAG_PHOTOMETRIC, 3, 1, PHOTOMETRIC_PALETTE}));
  add("floats", "unsupported", but({TIFFTAG_SAMPLEFORMAT, 3, 1, 3}));
  add("strip-behind-the-end",
      "",
      but({TIFFTAG_STRIPOFFSETS, 4, 1, 0xfffffff0}));
  add("strip-over-the-directory", "", but({TIFFTAG_STRIPOFFSETS, 4, 1, 900}));
  add("strip-of-no-bytes", "", but({TIFFTAG_STRIPBYTECOUNTS, 4, 1, 0}));
  add("strip-of-4-gigabytes",
      "",
      but({TIFFTAG_STRIPBYTECOUNTS, 4, 1, 0xffffffff}));
  add("rows-per-strip-0", "", but({TIFFTAG_ROWSPERSTRIP, 4, 1, 0}));
  add("orientation-9", "image", but({TIFFTAG_ORIENTATION, 3, 1, 9}));
  add("offsets-of-many-strips", "", but({TIFFTAG_STRIPOFFSETS, 4, 1 << 28, 8}));
  add("deflate-of-no-zlib",
      "",
      but({TIFFTAG_COMPRESSION, 3, 1, COMPRESSION_ADOBE_DEFLATE}));
  add("jpeg-of-no-jpeg",
      "",
      but({TIFFTAG_COMPRESSION, 3, 1, COMPRESSION_JPEG}));
}

void add_bombs(Files& files) {
  constexpr std::uint32_t kLarge = 5792;
  const auto add =
      [&](const char* name, const char* verdict, const ByteVector& bytes) {
        files.push_back(
            {fmt::format("tiff/{}", name), Kind::kBomb, verdict, bytes});
      };
  const auto packed = [&](std::uint32_t side,
                          std::uint16_t compression,
                          const ByteVector& strip) {
    return written(
        with(
            tags(side, side, strip),
            TIFFTAG_COMPRESSION,
            {TIFFTAG_COMPRESSION, 3, 1, compression}),
        strip);
  };
  add("pixel-bomb-deflate",
      "too_many_pixels",
      packed(kLarge, COMPRESSION_ADOBE_DEFLATE, inflating(32)));
  add("pixels-inflate-far-beyond-the-picture",
      "",
      packed(30, COMPRESSION_ADOBE_DEFLATE, inflating(1000)));
  Writer runs;
  for (int i = 0; i < 100'000; ++i) {
    runs.u8(0x81).u8(7);
  }
  add("pixel-bomb-packbits",
      "too_many_pixels",
      packed(15'000, COMPRESSION_PACKBITS, runs.done()));
  Writer nothing;
  add("packbits-that-give-nothing",
      "",
      packed(30, COMPRESSION_PACKBITS, nothing.fill(4'000'000, 0x80).done()));
  const ByteVector strip(900, 1);
  std::vector<Tag> tiles = tags(30, 30, strip);
  tiles = with(tiles, TIFFTAG_ROWSPERSTRIP, {TIFFTAG_TILEWIDTH, 4, 1, 65520});
  tiles =
      with(tiles, TIFFTAG_STRIPBYTECOUNTS, {TIFFTAG_TILEBYTECOUNTS, 4, 1, 900});
  tiles = with(tiles, TIFFTAG_STRIPOFFSETS, {TIFFTAG_TILEOFFSETS, 4, 1, 8});
  tiles.push_back({TIFFTAG_TILELENGTH, 4, 1, 65520});
  tiles = with(tiles, TIFFTAG_TILELENGTH, {TIFFTAG_TILELENGTH, 4, 1, 65520});
  add("a-tile-of-gigabytes", "too_many_pixels", written(tiles, strip));
  std::vector<Tag> many = tags(30, 30, strip);
  for (std::uint32_t number = 40'000; number < 65'000; ++number) {
    many.push_back({number, 4, 1, number});
  }
  add("tags-without-end", "", written(many, strip));
  Writer directories;  // each names the next one
  directories.text("II").little(42, 2).little(8, 4);
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    directories.little(0, 2).little(8 + 6 * (i + 1), 4);
  }
  add("directories-without-end", "", directories.done());
  add("megabytes-behind-the-end",
      "image",
      Writer()
          .bytes(written(tags(30, 30, strip), strip))
          .fill(4'000'000, 0x5a)
          .done());
}

}  // namespace

Files tiff_files(std::uint64_t seed) {
  Files files;
  add_modes(seed, files);
  constexpr std::array<std::string_view, 4> kBroken = {
      "tiff/rgb-lzw", "tiff/rgb-jpeg", "tiff/palette-4", "tiff/tiles"};
  add_damaged(kBroken, parts_of, seed, files);
  add_broken(files);
  add_bombs(files);
  return files;
}

}  // namespace swavd::odd_files
