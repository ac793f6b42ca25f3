#include <array>

#include <fmt/format.h>
#include <webp/encode.h>

#include "ops/base/check.h"
#include "tests/odd_files/parts.h"

namespace swavd::odd_files {

namespace {

constexpr int kWidth = 38;
constexpr int kHeight = 26;

struct Settings {
  int width = kWidth;
  int height = kHeight;
  bool lossless = false;
  bool alpha = false;
  float quality = 70;
  int segments = 4;
  int partitions = 0;
  int filter = 0;             ///< of the alpha channel
  int alpha_compression = 1;  ///< 0: none
  int near_lossless = 100;
};

ByteVector encoded(std::uint64_t seed, const Settings& settings) {
  WebPConfig config;
  SWAVD_CHECK(WebPConfigInit(&config) != 0);
  config.lossless = settings.lossless ? 1 : 0;
  config.quality = settings.quality;
  config.method = 2;
  config.segments = settings.segments;
  config.partitions = settings.partitions;
  config.alpha_filtering = settings.filter;
  config.alpha_compression = settings.alpha_compression;
  config.near_lossless = settings.near_lossless;
  WebPPicture input;
  SWAVD_CHECK(WebPPictureInit(&input) != 0);
  input.use_argb = config.lossless;
  input.width = settings.width;
  input.height = settings.height;
  const int channels = settings.alpha ? 4 : 3;
  const ByteVector pixels =
      picture(seed, settings.width, settings.height, channels);
  const int imported =
      settings.alpha
          ? WebPPictureImportRGBA(&input, pixels.data(), 4 * settings.width)
          : WebPPictureImportRGB(&input, pixels.data(), 3 * settings.width);
  SWAVD_CHECK(imported != 0);
  WebPMemoryWriter writer;
  WebPMemoryWriterInit(&writer);
  input.writer = WebPMemoryWrite;
  input.custom_ptr = &writer;
  SWAVD_CHECK(WebPEncode(&config, &input) != 0);
  ByteVector file(writer.mem, writer.mem + writer.size);
  WebPMemoryWriterClear(&writer);
  WebPPictureFree(&input);
  return file;
}

ByteVector chunk(std::string_view name, Bytes data) {
  Writer writer;
  writer.text(name).little(static_cast<std::uint32_t>(data.size()), 4);
  return writer.bytes(data).fill(data.size() % 2, 0).done();
}

ByteVector chunk(std::string_view name, std::string_view text) {
  return chunk(name, as_bytes(text));
}

ByteVector riff(Bytes chunks) {
  return Writer()
      .text("RIFF")
      .little(static_cast<std::uint32_t>(chunks.size()) + 4, 4)
      .text("WEBP")
      .bytes(chunks)
      .done();
}

constexpr std::size_t kRiff = 12;

std::vector<Part> parts_of(const ByteVector& file) {
  std::vector<Part> parts = {{"RIFF", 0, kRiff}};
  std::size_t at = kRiff;
  while (at + 8 <= file.size()) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      size |= std::size_t{file[at + 4 + i]} << (8 * i);
    }
    std::string name(as_text(Bytes(file).subspan(at, 4)));
    if (name.back() == ' ') {
      name.pop_back();
    }
    const std::size_t end = at + 8 + size + size % 2;
    parts.push_back({name, at, end});
    at = end;
  }
  return parts;
}

/// The chunks that hold pixels.
ByteVector pixels_of(const ByteVector& file) {
  Writer pixels;
  for (const Part& part : parts_of(file)) {
    if (part.name != "RIFF" && part.name != "VP8X") {
      pixels.bytes(Bytes(file).subspan(part.at, part.end - part.at));
    }
  }
  return pixels.done();
}

constexpr std::uint32_t kAnimated = 0x02;
constexpr std::uint32_t kAlpha = 0x10;

ByteVector
canvas(std::uint32_t flags, std::uint32_t width, std::uint32_t height) {
  return chunk(
      "VP8X",
      Writer()
          .little(flags, 4)
          .little(width - 1, 3)
          .little(height - 1, 3)
          .done());
}

struct Frame {
  std::uint32_t x = 0;  ///< even
  std::uint32_t y = 0;
  std::uint32_t width = kWidth;
  std::uint32_t height = kHeight;
  std::uint32_t flags = 0;  ///< 1: to the background afterwards; 2: no blending
};

ByteVector frame_chunk(const Frame& frame, const ByteVector& pixels) {
  return chunk(
      "ANMF",
      Writer()
          .little(frame.x / 2, 3)
          .little(frame.y / 2, 3)
          .little(frame.width - 1, 3)
          .little(frame.height - 1, 3)
          .little(40, 3)
          .u8(frame.flags)
          .bytes(pixels)
          .done());
}

ByteVector animation(
    std::uint32_t width,
    std::uint32_t height,
    const std::vector<ByteVector>& frames) {
  Writer chunks;
  chunks.bytes(canvas(kAnimated | kAlpha, width, height));
  chunks.bytes(
      chunk("ANIM", Writer().little(0xff00ff80, 4).little(0, 2).done()));
  for (const ByteVector& frame : frames) {
    chunks.bytes(frame);
  }
  return riff(chunks.done());
}

/// A lossless picture of one colour: no pixel takes a bit.
ByteVector blank_pixels(std::uint32_t width, std::uint32_t height) {
  std::uint64_t bits = std::uint64_t{width - 1} | std::uint64_t{height - 1}
                                                      << 14U;
  // No alpha, version 0, no transform, no colour cache, one group of codes;
  // then five codes: simple, of one symbol, of one bit, which is 0.
  unsigned at = 28 + 1 + 3 + 1 + 1 + 1;
  for (int code = 0; code < 5; ++code) {
    bits |= std::uint64_t{1} << at;
    at += 4;
  }
  Writer data;
  data.u8(0x2f);
  data.little(static_cast<std::uint32_t>(bits), 4);
  data.little(static_cast<std::uint32_t>(bits >> 32U), 4);
  return chunk("VP8L", data.done());
}

void add_modes(std::uint64_t seed, Files& files) {
  const auto add = [&](const std::string& name, ByteVector bytes) {
    files.push_back({"webp/" + name, Kind::kGood, "image", std::move(bytes)});
  };
  add("lossy", encoded(seed, {}));
  add("lossy-alpha", encoded(seed, {.alpha = true}));
  add("lossy-alpha-stored",
      encoded(seed, {.alpha = true, .alpha_compression = 0}));
  add("lossy-alpha-filtered", encoded(seed, {.alpha = true, .filter = 2}));
  add("lossless", encoded(seed, {.lossless = true}));
  add("lossless-alpha", encoded(seed, {.lossless = true, .alpha = true}));
  add("near-lossless", encoded(seed, {.lossless = true, .near_lossless = 40}));
  add("lossy-partitions", encoded(seed, {.partitions = 3}));
  add("quality-0", encoded(seed, {.quality = 0, .segments = 1}));
  add("one-pixel", encoded(seed, {.width = 1, .height = 1}));
  add("one-row-lossless",
      encoded(seed, {.width = 64, .height = 1, .lossless = true}));
  add("blank-lossless", riff(blank_pixels(64, 64)));
  const ByteVector lossy = pixels_of(encoded(seed, {}));
  const ByteVector lossless =
      pixels_of(encoded(seed, {.lossless = true, .alpha = true}));
  add("extended-with-metadata",
      riff(Writer()
               .bytes(canvas(0x2c, kWidth, kHeight))
               .bytes(chunk("ICCP", "no profile"))
               .bytes(lossy)
               .bytes(chunk("EXIF", "no exif"))
               .bytes(chunk("XMP ", "odd"))
               .done()));
  for (const std::uint32_t flags : {0U, 1U, 2U, 3U}) {
    const Frame frame{.flags = flags};
    const Frame small{
        .x = 6, .y = 4, .width = 16, .height = 12, .flags = flags};
    const ByteVector part =
        pixels_of(encoded(seed + 1, {.width = 16, .height = 12}));
    add(fmt::format("animated-{}", flags),
        animation(
            kWidth,
            kHeight,
            {frame_chunk(frame, lossy),
             frame_chunk(small, part),
             frame_chunk(frame, lossless)}));
    add(fmt::format("animated-from-a-part-{}", flags),
        animation(
            kWidth,
            kHeight,
            {frame_chunk(small, part), frame_chunk(frame, lossless)}));
  }
}

void add_lies(const OddFile& good, Files& files) {
  const std::vector<Part> parts = parts_of(good.bytes);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for (const std::uint32_t size :
         {0U, 1U, 7U, 65535U, 0x7fffffffU, 0xfffffff6U, 0xffffffffU}) {
      files.push_back(
          {fmt::format(
               "{}/size-{}-of-{}-{}", good.name, size, i, parts[i].name),
           Kind::kDamaged,
           "",
           overwritten(
               good.bytes, parts[i].at + 4, Writer().little(size, 4).done())});
    }
  }
}

void add_broken(std::uint64_t seed, Files& files) {
  const auto add =
      [&](const char* name, const char* verdict, ByteVector bytes) {
        files.push_back(
            {fmt::format("webp/{}", name),
             Kind::kDamaged,
             verdict,
             std::move(bytes)});
      };
  const ByteVector lossy = encoded(seed, {});
  const ByteVector pixels = pixels_of(lossy);
  add("no-chunks", "malformed", riff({}));
  add("canvas-alone", "", riff(canvas(0, kWidth, kHeight)));
  add("animation-without-frames", "", animation(kWidth, kHeight, {}));
  add("canvas-of-another-size",
      "",
      riff(Writer().bytes(canvas(0, 200, 100)).bytes(pixels).done()));
  add("canvas-16777216",
      "malformed",
      riff(Writer().bytes(canvas(0, 1U << 24U, 1)).bytes(pixels).done()));
  add("canvas-of-more-than-4-gigapixels",
      "malformed",
      riff(Writer()
               .bytes(canvas(0, 1U << 24U, 1U << 24U))
               .bytes(pixels)
               .done()));
  add("frame-outside-the-canvas",
      "",
      animation(kWidth, kHeight, {frame_chunk({.x = 30, .y = 30}, pixels)}));
  add("frame-of-another-size",
      "",
      animation(
          kWidth, kHeight, {frame_chunk({.width = 10, .height = 10}, pixels)}));
  add("frame-without-pixels",
      "",
      animation(kWidth, kHeight, {frame_chunk({}, {})}));
  add("frames-without-an-animation",
      "",
      riff(Writer()
               .bytes(canvas(0, kWidth, kHeight))
               .bytes(frame_chunk({}, pixels))
               .done()));
  const std::size_t sides = kRiff + 8 + 6;  // in the header of a lossy picture
  const auto sized = [&](std::uint32_t width, std::uint32_t height) {
    return overwritten(
        lossy, sides, Writer().little(width, 2).little(height, 2).done());
  };
  add("width-0", "malformed", sized(0, kHeight));
  add("height-0", "malformed", sized(kWidth, 0));
  add("sides-16383", "too_many_pixels", sized(16383, 16383));
  add("interframe", "", overwritten(lossy, kRiff + 8, ByteVector{0x01}));
}

void add_bombs(std::uint64_t seed, Files& files) {
  const auto add = [&](const char* name,
                       const char* verdict,
                       ByteVector bytes) {
    files.push_back(
        {fmt::format("webp/{}", name), Kind::kBomb, verdict, std::move(bytes)});
  };
  const ByteVector pixels = pixels_of(encoded(seed, {.width = 2, .height = 2}));
  const ByteVector frame = frame_chunk({.width = 2, .height = 2}, pixels);
  add("tiny-frame-on-a-huge-canvas",
      "too_many_pixels",
      animation(65536, 511, {frame}));
  add("blank-large-picture",
      "too_many_pixels",
      riff(blank_pixels(16383, 2048)));
  add("animation-of-a-blank-large-frame",
      "too_many_pixels",
      animation(
          16383,
          2048,
          {frame_chunk(
              {.width = 16383, .height = 2048}, blank_pixels(16383, 2048))}));
  add("large-header-on-few-bytes",
      "too_many_pixels",
      overwritten(
          encoded(seed, {}),
          kRiff + 8 + 6,
          Writer().little(16383, 2).little(2048, 2).done()));
  add("thousands-of-frames",
      "image",
      animation(64, 64, std::vector<ByteVector>(20'000, frame)));
  Writer unknown;
  unknown.bytes(canvas(0, kWidth, kHeight));
  for (int i = 0; i < 400'000; ++i) {
    unknown.bytes(chunk("junk", ""));
  }
  unknown.bytes(pixels_of(encoded(seed, {})));
  add("unknown-chunks-without-end", "image", riff(unknown.done()));
}

}  // namespace

Files webp_files(std::uint64_t seed) {
  Files files;
  add_modes(seed, files);
  constexpr std::array<std::string_view, 5> kBroken = {
      "webp/lossy",
      "webp/lossless-alpha",
      "webp/lossy-alpha",
      "webp/extended-with-metadata",
      "webp/animated-1"};
  add_damaged(kBroken, parts_of, seed, files);
  for (const std::string_view name : kBroken) {
    add_lies(OddFile(named(files, name)), files);
  }
  add_broken(seed, files);
  add_bombs(seed, files);
  return files;
}

}  // namespace swavd::odd_files
