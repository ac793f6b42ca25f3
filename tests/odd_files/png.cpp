#include <array>

#include <fmt/format.h>
#include <zlib.h>

#include "ops/base/check.h"
#include "tests/odd_files/parts.h"

namespace swavd::odd_files {

namespace {

constexpr std::uint32_t kWidth = 37;
constexpr std::uint32_t kHeight = 29;

enum Color : std::uint32_t {
  kGray = 0,
  kColor = 2,
  kPalette = 3,
  kGrayAlpha = 4,
  kColorAlpha = 6,
};

struct Header {
  std::uint32_t width = kWidth;
  std::uint32_t height = kHeight;
  std::uint32_t depth = 8;
  std::uint32_t color = kColor;
  std::uint32_t interlaced = 0;
};

std::uint32_t bits_of_a_pixel(const Header& header) {
  switch (header.color) {
    case kColor:
      return 3 * header.depth;
    case kGrayAlpha:
      return 2 * header.depth;
    case kColorAlpha:
      return 4 * header.depth;
    default:
      return header.depth;
  }
}

ByteVector chunk(std::string_view name, Bytes data) {
  Writer checked;
  checked.text(name).bytes(data);
  const uLong checksum =
      crc32(0, checked.done().data(), static_cast<uInt>(checked.done().size()));
  return Writer()
      .big(static_cast<std::uint32_t>(data.size()), 4)
      .bytes(checked.done())
      .big(static_cast<std::uint32_t>(checksum), 4)
      .done();
}

ByteVector chunk(std::string_view name, std::string_view text) {
  return chunk(name, as_bytes(text));
}

ByteVector start(const Header& header) {
  const Writer fields = Writer()
                            .big(header.width, 4)
                            .big(header.height, 4)
                            .u8(header.depth)
                            .u8(header.color)
                            .u8(0)
                            .u8(0)
                            .u8(header.interlaced);
  return Writer()
      .text("\x89PNG\r\n\x1a\n")
      .bytes(chunk("IHDR", fields.done()))
      .done();
}

/// The rows of one pass: a filter, then samples.
void add_rows(
    std::uint64_t seed,
    const Header& header,
    std::uint32_t width,
    std::uint32_t height,
    Writer& rows) {
  const std::uint32_t bytes = (width * bits_of_a_pixel(header) + 7) / 8;
  if (width == 0 || height == 0) {
    return;
  }
  const ByteVector samples = picture(
      seed, static_cast<int>(bytes), static_cast<int>(height), /*channels=*/1);
  for (std::uint32_t y = 0; y < height; ++y) {
    // The filters would make other indices of those in the palette.
    rows.u8(header.color == kPalette ? 0 : y % 5);
    rows.bytes(Bytes(samples).subspan(std::size_t{y} * bytes, bytes));
  }
}

/// The samples as they are before deflation.
ByteVector raw_pixels(std::uint64_t seed, const Header& header) {
  struct Pass {
    std::uint32_t x, y, step_x, step_y;
  };

  constexpr Pass kAdam7[] = {
      {0, 0, 8, 8},
      {4, 0, 8, 8},
      {0, 4, 4, 8},
      {2, 0, 4, 4},
      {0, 2, 2, 4},
      {1, 0, 2, 2},
      {0, 1, 1, 2}};
  Writer rows;
  if (header.interlaced == 0) {
    add_rows(seed, header, header.width, header.height, rows);
    return rows.done();
  }
  for (const Pass& pass : kAdam7) {
    add_rows(
        seed,
        header,
        (header.width + pass.step_x - 1 - pass.x) / pass.step_x,
        (header.height + pass.step_y - 1 - pass.y) / pass.step_y,
        rows);
  }
  return rows.done();
}

/// A palette of all the entries that an index can name.
ByteVector palette(std::uint64_t seed, const Header& header) {
  return header.color == kPalette
             ? chunk("PLTE", picture(seed, 1 << header.depth, 1, 3))
             : ByteVector();
}

/// A whole file with `middle` between header and pixels.
ByteVector encoded(
    std::uint64_t seed,
    const Header& header,
    const ByteVector& middle = {}) {
  return Writer()
      .bytes(start(header))
      .bytes(palette(seed, header))
      .bytes(middle)
      .bytes(chunk("IDAT", deflated(raw_pixels(seed, header))))
      .bytes(chunk("IEND", ""))
      .done();
}

std::vector<Part> parts_of(const ByteVector& file) {
  std::vector<Part> parts;
  std::size_t at = 8;
  while (at + 12 <= file.size()) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      size = size << 8U | file[at + i];
    }
    const std::string name(as_text(Bytes(file).subspan(at + 4, 4)));
    parts.push_back({name, at, at + 12 + size});
    at += 12 + size;
  }
  return parts;
}

void add_modes(std::uint64_t seed, Files& files) {
  struct Mode {
    const char* name;
    std::uint32_t color;
    std::vector<std::uint32_t> depths;
    std::size_t transparent;  ///< bytes of its tRNS chunk
  };

  const Mode modes[] = {
      {"gray", kGray, {1, 2, 4, 8, 16}, 2},
      {"color", kColor, {8, 16}, 6},
      {"palette", kPalette, {1, 2, 4, 8}, 2},
      {"gray-alpha", kGrayAlpha, {8, 16}, 0},
      {"color-alpha", kColorAlpha, {8, 16}, 0}};
  for (const Mode& mode : modes) {
    for (const std::uint32_t depth : mode.depths) {
      for (const std::uint32_t interlaced : {0U, 1U}) {
        Header header;
        header.color = mode.color;
        header.depth = depth;
        header.interlaced = interlaced;
        const std::string name = fmt::format(
            "png/{}-{}{}",
            mode.name,
            depth,
            interlaced == 1 ? "-interlaced" : "");
        files.push_back({name, Kind::kGood, "image", encoded(seed, header)});
        if (mode.transparent > 0) {
          const ByteVector value(mode.transparent, 0);
          files.push_back(
              {name + "-transparent",
               Kind::kGood,
               "image",
               encoded(seed, header, chunk("tRNS", value))});
        }
      }
    }
  }
}

/// A compressed text: a keyword, then a zlib stream.
ByteVector ztxt(Bytes stream) {
  return chunk(
      "zTXt", Writer().text("Comment").fill(2, 0).bytes(stream).done());
}

ByteVector iccp(Bytes stream) {
  return chunk(
      "iCCP", Writer().text("profile").fill(2, 0).bytes(stream).done());
}

ByteVector itxt(Bytes stream) {
  return chunk(
      "iTXt",
      Writer().text("Comment").u8(0).u8(1).fill(3, 0).bytes(stream).done());
}

ByteVector repeated(const ByteVector& piece, int count) {
  Writer all;
  for (int i = 0; i < count; ++i) {
    all.bytes(piece);
  }
  return all.done();
}

void add_with_chunks(std::uint64_t seed, Files& files) {
  const auto add = [&](const char* name, ByteVector bytes) {
    files.push_back(
        {fmt::format("png/{}", name), Kind::kGood, "image", std::move(bytes)});
  };
  const ByteVector text = deflated(as_bytes("a text"));
  add("text-chunks",
      encoded(
          seed,
          {},
          Writer()
              .bytes(chunk("tEXt", std::string_view("Title\0of it", 11)))
              .bytes(ztxt(text))
              .bytes(itxt(text))
              .bytes(chunk("gAMA", std::string_view("\0\0\xb1\x8f", 4)))
              .bytes(chunk("xxXx", "nobody knows it"))
              .done()));
  // Byte by byte: each in a chunk of its own, and empty ones between them.
  Writer split;
  split.bytes(start({}));
  for (const std::uint8_t byte : deflated(raw_pixels(seed, {}))) {
    split.bytes(chunk("IDAT", Bytes(&byte, 1))).bytes(chunk("IDAT", ""));
  }
  add("pixels-byte-by-byte", split.bytes(chunk("IEND", "")).done());
  Header header;
  header.width = header.height = 1;
  add("one-pixel", encoded(seed, header));
  header.interlaced = 1;
  add("one-pixel-interlaced", encoded(seed, header));
  header.width = 64;
  add("one-row-interlaced", encoded(seed, header));
  std::swap(header.width, header.height);
  add("one-column-interlaced", encoded(seed, header));
  ByteVector stored(compressBound(10'000));
  auto size = static_cast<uLongf>(stored.size());
  const ByteVector raw = raw_pixels(seed, {});
  SWAVD_CHECK(
      compress2(
          stored.data(),
          &size,
          raw.data(),
          static_cast<uLong>(raw.size()),
          0) == Z_OK);
  stored.resize(size);
  add("stored-not-compressed",
      Writer()
          .bytes(start({}))
          .bytes(chunk("IDAT", stored))
          .bytes(chunk("IEND", ""))
          .done());
}

void add_lies(const ByteVector& good, Files& files) {
  const auto add = [&](const std::string& name, ByteVector bytes) {
    files.push_back({"png/" + name, Kind::kDamaged, "", std::move(bytes)});
  };
  const std::vector<Part> parts = parts_of(good);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    const std::string name = fmt::format("{}-{}", i, part.name);
    for (const std::uint32_t length :
         {0U, 1U, 65535U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
      add(fmt::format("length-{}-of-{}", length, name),
          overwritten(good, part.at, Writer().big(length, 4).done()));
    }
    add("wrong-checksum-of-" + name,
        overwritten(
            good,
            part.end - 1,
            ByteVector{static_cast<std::uint8_t>(good[part.end - 1] ^ 1U)}));
    add("unknown-name-of-" + name,
        overwritten(good, part.at + 4, as_bytes("QQQQ")));
  }
}

/// A file whose header is `header` and whose pixels are `stream`.
ByteVector
with_stream(const Header& header, Bytes stream, const ByteVector& middle = {}) {
  return Writer()
      .bytes(start(header))
      .bytes(middle)
      .bytes(chunk("IDAT", stream))
      .bytes(chunk("IEND", ""))
      .done();
}

void add_broken(std::uint64_t seed, Files& files) {
  const auto add =
      [&](const char* name, const char* verdict, ByteVector bytes) {
        files.push_back(
            {fmt::format("png/{}", name),
             Kind::kDamaged,
             verdict,
             std::move(bytes)});
      };
  const ByteVector pixels = deflated(raw_pixels(seed, {}));
  const auto sized = [&](std::uint32_t width, std::uint32_t height) {
    Header header;
    header.width = width;
    header.height = height;
    return with_stream(header, pixels);
  };
  add("width-0", "malformed", sized(0, kHeight));
  add("height-0", "malformed", sized(kWidth, 0));
  add("width-65535", "", sized(65535, kHeight));
  add("height-65535", "", sized(kWidth, 65535));
  add("sides-65535", "too_many_pixels", sized(65535, 65535));
  add("sides-2147483647", "too_many_pixels", sized(0x7fffffff, 0x7fffffff));
  add("sides-4294967295", "malformed", sized(0xffffffff, 0xffffffff));
  Header header;
  header.depth = 3;
  add("depth-3", "malformed", with_stream(header, pixels));
  header = {};
  header.color = 5;
  add("color-5", "malformed", with_stream(header, pixels));
  header = {};
  header.interlaced = 2;
  add("interlace-2", "malformed", with_stream(header, pixels));
  header = {};
  header.color = kPalette;
  add("palette-missing", "malformed", with_stream(header, pixels));
  const ByteVector few = chunk("PLTE", picture(seed, 3, 1, 3));
  add("index-beyond-the-palette", "", with_stream(header, pixels, few));
  add("palette-of-five-bytes",
      "malformed",
      with_stream(header, pixels, chunk("PLTE", "12345")));
  add("no-pixels", "truncated", with_stream({}, {}));
  add("pixels-of-no-zlib", "malformed", with_stream({}, ByteVector(100, 0xee)));
  add("fewer-pixels-than-it-says",
      "truncated",
      with_stream({}, deflated(ByteVector(500, 0))));
  add("more-pixels-than-it-says",
      "image",
      with_stream({}, deflated(ByteVector(100'000, 0))));
  add("filter-9",
      "malformed",
      with_stream({}, deflated(ByteVector(10'000, 9))));
  add("signature-alone", "truncated", cut(start({}), 8));
  add("header-alone", "truncated", start({}));
}

void add_bombs(std::uint64_t seed, Files& files) {
  const auto add = [&](const char* name,
                       const char* verdict,
                       ByteVector bytes) {
    files.push_back(
        {fmt::format("png/{}", name), Kind::kBomb, verdict, std::move(bytes)});
  };
  Header large;
  large.width = large.height = 5792;
  add("pixel-bomb", "too_many_pixels", with_stream(large, inflating(97)));
  add("large-header-on-few-bytes",
      "too_many_pixels",
      with_stream(large, deflated(ByteVector(100, 0))));
  large.interlaced = 1;
  add("pixel-bomb-interlaced",
      "too_many_pixels",
      with_stream(large, inflating(97)));
  large.interlaced = 0;
  large.depth = 1;
  large.color = kGray;
  add("pixel-bomb-of-one-bit",
      "too_many_pixels",
      with_stream(large, inflating(5)));
  add("pixels-inflate-far-beyond-the-picture",
      "image",
      with_stream({}, inflating(1000)));
  add("profile-bomb", "unsupported", encoded(seed, {}, iccp(inflating(1000))));
  add("text-bomb", "unsupported", encoded(seed, {}, ztxt(inflating(1000))));
  add("international-text-bomb",
      "unsupported",
      encoded(seed, {}, itxt(inflating(1000))));
  const ByteVector below = inflating(1, 'a');
  add("many-small-text-bombs",
      "unsupported",
      encoded(seed, {}, repeated(ztxt(below), 1000)));
  add("text-chunks-without-end",
      "",
      encoded(
          seed,
          {},
          repeated(chunk("tEXt", std::string_view("k\0v", 3)), 200'000)));
  add("unknown-chunks-without-end",
      "image",
      encoded(seed, {}, repeated(chunk("xxXx", ""), 500'000)));
  add("a-large-text",
      "image",
      encoded(
          seed,
          {},
          chunk(
              "tEXt",
              "k" + std::string(1, '\0') + std::string(4'000'000, 't'))));
  add("empty-pixel-chunks-without-end",
      "image",
      Writer()
          .bytes(start({}))
          .bytes(repeated(chunk("IDAT", ""), 500'000))
          .bytes(chunk("IDAT", deflated(raw_pixels(seed, {}))))
          .bytes(chunk("IEND", ""))
          .done());
}

}  // namespace

Files png_files(std::uint64_t seed) {
  Files files;
  add_modes(seed, files);
  add_with_chunks(seed, files);
  constexpr std::array<std::string_view, 4> kBroken = {
      "png/color-8",
      "png/palette-4-interlaced-transparent",
      "png/gray-16",
      "png/text-chunks"};
  add_damaged(kBroken, parts_of, seed, files);
  add_lies(ByteVector(named(files, "png/text-chunks").bytes), files);
  add_broken(seed, files);
  add_bombs(seed, files);
  return files;
}

}  // namespace swavd::odd_files
