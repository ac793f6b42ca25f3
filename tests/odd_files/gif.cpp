#include <array>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <gif_lib.h>

#include "ops/base/check.h"
#include "tests/odd_files/parts.h"

namespace swavd::odd_files {

namespace {

constexpr int kWidth = 33;
constexpr int kHeight = 27;
/// Where the first block of a plain file begins, behind 64 colours.
constexpr std::size_t kStart = 13 + 192;

struct Frame {
  int left = 0;
  int top = 0;
  int width = kWidth;
  int height = kHeight;
  bool interlaced = false;
  int disposal = 0;
  int transparent = -1;
  bool own_palette = false;
};

struct Canvas {
  int width = kWidth;
  int height = kHeight;
  int colors = 64;  ///< of the palette that all share; 0: none
  std::vector<Frame> frames = std::vector<Frame>(1);
};

int append(GifFileType* gif, const GifByteType* bytes, int count) {
  auto& file = *static_cast<Writer*>(gif->UserData);
  file.bytes({bytes, static_cast<std::size_t>(count)});
  return count;
}

struct FreePalette {
  void operator()(ColorMapObject* palette) const { GifFreeMapObject(palette); }
};

using Palette = std::unique_ptr<ColorMapObject, FreePalette>;

Palette palette(std::uint64_t seed, int colors) {
  const ByteVector rgb = picture(seed, colors, 1, 3);
  std::vector<GifColorType> entries(static_cast<std::size_t>(colors));
  std::memcpy(entries.data(), rgb.data(), rgb.size());
  return Palette(GifMakeMapObject(colors, entries.data()));
}

void put_frame(
    GifFileType* gif,
    std::uint64_t seed,
    const Frame& frame,
    int colors) {
  GraphicsControlBlock control{};
  control.DisposalMode = frame.disposal;
  control.TransparentColor = frame.transparent;
  control.DelayTime = 4;
  std::array<GifByteType, 4> extension{};
  EGifGCBToExtension(&control, extension.data());
  SWAVD_CHECK(
      EGifPutExtension(
          gif,
          GRAPHICS_EXT_FUNC_CODE,
          static_cast<int>(extension.size()),
          extension.data()) == GIF_OK);
  const Palette own = frame.own_palette ? palette(seed + 1, colors) : nullptr;
  SWAVD_CHECK(
      EGifPutImageDesc(
          gif,
          frame.left,
          frame.top,
          frame.width,
          frame.height,
          frame.interlaced,
          own.get()) == GIF_OK);
  ByteVector pixels = picture(seed, frame.width, frame.height, 1);
  for (std::uint8_t& pixel : pixels) {
    pixel = static_cast<std::uint8_t>(pixel % colors);
  }
  // Rows of an interlaced frame are only stored in another order.
  for (int y = 0; y < frame.height; ++y) {
    SWAVD_CHECK(
        EGifPutLine(gif, pixels.data() + y * frame.width, frame.width) ==
        GIF_OK);
  }
}

ByteVector encoded(std::uint64_t seed, const Canvas& canvas) {
  Writer file;
  int error = 0;
  GifFileType* gif = EGifOpen(&file, append, &error);
  SWAVD_CHECK(gif != nullptr);
  EGifSetGifVersion(gif, /*gif89=*/true);
  const Palette shared =
      canvas.colors > 0 ? palette(seed, canvas.colors) : nullptr;
  SWAVD_CHECK(
      EGifPutScreenDesc(
          gif,
          canvas.width,
          canvas.height,
          6,
          /*background=*/1,
          shared.get()) == GIF_OK);
  for (std::size_t i = 0; i < canvas.frames.size(); ++i) {
    put_frame(
        gif,
        seed + i,
        canvas.frames[i],
        canvas.colors > 0 ? canvas.colors : 64);
  }
  SWAVD_CHECK(EGifCloseFile(gif, &error) == GIF_OK);
  return file.done();
}

std::size_t bytes_of_palette(std::uint8_t flags) {
  constexpr unsigned kHasOne = 0x80;
  return (flags & kHasOne) != 0 ? std::size_t{3} << ((flags & 7U) + 1) : 0;
}

/// Behind the blocks, each led by its length, that start at `at`.
std::size_t end_of_blocks(const ByteVector& file, std::size_t at) {
  while (file[at] != 0) {
    at += std::size_t{file[at]} + 1;
  }
  return at + 1;
}

std::vector<Part> parts_of(const ByteVector& file) {
  constexpr std::size_t kScreen = 13;
  constexpr std::size_t kDescription = 10;
  std::size_t at = kScreen + bytes_of_palette(file[10]);
  std::vector<Part> parts = {{"screen", 0, at}};
  while (file[at] != ';') {
    std::size_t end = at + 2;
    std::string name = fmt::format("extension-{:02x}", file[at + 1]);
    if (file[at] == ',') {
      name = "frame";
      end = at + kDescription + bytes_of_palette(file[at + 9]) + 1;
    }
    end = end_of_blocks(file, end);
    parts.push_back({name, at, end});
    at = end;
  }
  parts.push_back({"end", at, at + 1});
  return parts;
}

void add_modes(std::uint64_t seed, Files& files) {
  const auto add = [&](const std::string& name, const Canvas& canvas) {
    files.push_back(
        {"gif/" + name, Kind::kGood, "image", encoded(seed, canvas)});
  };
  add("plain", {});
  for (const int colors : {2, 4, 16, 128, 256}) {
    Canvas canvas;
    canvas.colors = colors;
    add(fmt::format("of-{}-colors", colors), canvas);
  }
  const auto with = [](const Frame& frame) {
    Canvas canvas;
    canvas.frames = {frame};
    return canvas;
  };
  add("interlaced", with({.interlaced = true}));
  add("transparent", with({.transparent = 3}));
  add("own-palette", with({.own_palette = true}));
  add("frame-inside", with({.left = 5, .top = 7, .width = 10, .height = 11}));
  add("frame-sticks-out", with({.left = 20, .top = 20}));
  add("frame-beside-the-canvas",
      with({.left = 40, .top = 30, .width = 5, .height = 5}));
  add("one-pixel", with({.width = 1, .height = 1}));
  Canvas without = with({.own_palette = true});
  without.colors = 0;
  add("without-a-shared-palette", without);
  // No encoder writes it: of the plain one, the palette of 64 is taken away.
  const ByteVector plain = encoded(seed, {});
  files.push_back(
      {"gif/without-any-palette",
       Kind::kGood,
       "image",
       Writer()
           .bytes(cut(plain, 10))
           .u8(plain[10] & 0x7fU)
           .bytes(Bytes(plain).subspan(11, 2))
           .bytes(Bytes(plain).subspan(kStart))
           .done()});
  for (int disposal = 0; disposal < 8; ++disposal) {
    Canvas canvas;
    canvas.frames = {
        {.disposal = disposal},
        {.left = 3, .top = 3, .width = 9, .height = 9, .disposal = disposal},
        {.interlaced = true, .disposal = disposal, .transparent = 0}};
    add(fmt::format("animated-disposal-{}", disposal), canvas);
  }
}

/// Gives the screen the size that it says.
ByteVector
with_screen(const ByteVector& file, std::uint32_t width, std::uint32_t height) {
  return overwritten(
      file, 6, Writer().little(width, 2).little(height, 2).done());
}

ByteVector with_byte(const ByteVector& file, std::size_t at, unsigned value) {
  return overwritten(file, at, ByteVector{static_cast<std::uint8_t>(value)});
}

void add_broken(const ByteVector& good, Files& files) {
  const auto add =
      [&](const char* name, const char* verdict, ByteVector bytes) {
        files.push_back(
            {fmt::format("gif/{}", name),
             Kind::kDamaged,
             verdict,
             std::move(bytes)});
      };
  std::size_t frame = 0;
  for (const Part& part : parts_of(good)) {
    frame = part.name == "frame" ? part.at : frame;
  }
  const auto frame_of = [&](std::uint32_t width, std::uint32_t height) {
    return overwritten(
        good, frame + 5, Writer().little(width, 2).little(height, 2).done());
  };
  add("screen-0", "image", with_screen(good, 0, 0));
  add("frame-width-0", "malformed", frame_of(0, kHeight));
  add("frame-height-0", "malformed", frame_of(kWidth, 0));
  add("frame-65535", "too_many_pixels", frame_of(65535, 65535));
  add("frame-wider-than-its-data", "", frame_of(500, kHeight));
  add("frame-far-outside",
      "too_many_pixels",
      overwritten(
          good, frame + 1, Writer().little(65535, 2).little(65535, 2).done()));
  const std::size_t code_size = frame + 10;
  add("code-size-0", "malformed", with_byte(good, code_size, 0));
  add("code-size-1", "", with_byte(good, code_size, 1));
  add("code-size-12", "malformed", with_byte(good, code_size, 12));
  add("code-size-255", "malformed", with_byte(good, code_size, 255));
  add("block-of-length-0", "truncated", with_byte(good, code_size + 1, 0));
  add("block-of-length-255", "", with_byte(good, code_size + 1, 255));
  add("no-frame",
      "malformed",
      Writer().bytes(cut(good, kStart)).text(";").done());
  add("unknown-record", "malformed", with_byte(good, frame, 'X'));
  add("version-87a", "image", overwritten(good, 3, as_bytes("87a")));
}

/// An extension without a meaning, so large.
ByteVector extension(unsigned kind, int blocks) {
  Writer extension;
  extension.u8('!').u8(kind);
  for (int i = 0; i < blocks; ++i) {
    extension.u8(255).fill(255, 'c');
  }
  return extension.u8(0).done();
}

void add_bombs(std::uint64_t seed, const ByteVector& good, Files& files) {
  const auto add = [&](const char* name,
                       const char* verdict,
                       ByteVector bytes) {
    files.push_back(
        {fmt::format("gif/{}", name), Kind::kBomb, verdict, std::move(bytes)});
  };
  Canvas tiny;
  tiny.width = 65535;
  tiny.height = 512;
  tiny.frames = {{.width = 1, .height = 1}};
  add("tiny-frame-on-a-huge-canvas", "too_many_pixels", encoded(seed, tiny));
  tiny.width = tiny.height = kWidth;
  tiny.frames = {{.left = 65000, .top = 500, .width = 1, .height = 1}};
  add("tiny-frame-far-away", "too_many_pixels", encoded(seed, tiny));
  Canvas many;
  many.frames.assign(5000, {.width = 8, .height = 8, .disposal = 3});
  add("thousands-of-frames", "image", encoded(seed, many));
  const auto with = [&](const ByteVector& middle) {
    return Writer()
        .bytes(cut(good, kStart))
        .bytes(middle)
        .bytes(Bytes(good).subspan(kStart))
        .done();
  };
  Writer small;
  for (int i = 0; i < 500'000; ++i) {
    small.bytes(extension(0xfe, 0));
  }
  add("comments-without-end", "image", with(small.done()));
  add("a-comment-of-megabytes", "image", with(extension(0xfe, 15'000)));
  Writer clears;  // codes that only say: start anew
  clears.bytes(cut(good, kStart)).text(",").fill(4, 0);
  clears.little(kWidth, 2).little(kHeight, 2).u8(0).u8(7);
  for (int i = 0; i < 10'000; ++i) {
    clears.u8(255).fill(255, 0x80);
  }
  add("codes-that-give-no-pixels", "truncated", clears.u8(0).text(";").done());
}

}  // namespace

Files gif_files(std::uint64_t seed) {
  Files files;
  add_modes(seed, files);
  constexpr std::array<std::string_view, 3> kBroken = {
      "gif/plain", "gif/animated-disposal-2", "gif/interlaced"};
  add_damaged(kBroken, parts_of, seed, files);
  const ByteVector plain = named(files, "gif/plain").bytes;
  add_broken(plain, files);
  add_bombs(seed, plain, files);
  return files;
}

}  // namespace swavd::odd_files
