#include <array>
#include <memory>
#include <string_view>

#include <avif/avif.h>
#include <fmt/format.h>

#include "ops/base/check.h"
#include "tests/odd_files/parts.h"

namespace swavd::odd_files {

namespace {

constexpr std::uint32_t kWidth = 34;
constexpr std::uint32_t kHeight = 28;

struct Mode {
  std::uint32_t width = kWidth;
  std::uint32_t height = kHeight;
  avifPixelFormat format = AVIF_PIXEL_FORMAT_YUV420;
  std::uint32_t depth = 8;
  bool alpha = false;
  bool limited = false;
  int frames = 1;
  std::uint32_t columns = 1;  ///< of a picture made of several
  std::uint8_t quarter_turns = 0;
  ByteVector profile;
  ByteVector exif;
};

struct DestroyImage {
  void operator()(avifImage* image) const { avifImageDestroy(image); }
};

struct DestroyEncoder {
  void operator()(avifEncoder* encoder) const { avifEncoderDestroy(encoder); }
};

using AvifImage = std::unique_ptr<avifImage, DestroyImage>;

AvifImage image(std::uint64_t seed, const Mode& mode) {
  AvifImage image(avifImageCreate(
      static_cast<int>(mode.width),
      static_cast<int>(mode.height),
      static_cast<int>(mode.depth),
      mode.format));
  SWAVD_CHECK(image != nullptr);
  image->yuvRange = mode.limited ? AVIF_RANGE_LIMITED : AVIF_RANGE_FULL;
  if (mode.quarter_turns > 0) {
    image->transformFlags = AVIF_TRANSFORM_IROT;
    image->irot.angle = mode.quarter_turns;
  }
  avifImageSetProfileICC(image.get(), mode.profile.data(), mode.profile.size());
  avifImageSetMetadataExif(image.get(), mode.exif.data(), mode.exif.size());
  const int channels = mode.alpha ? 4 : 3;
  ByteVector pixels = picture(
      seed,
      static_cast<int>(mode.width),
      static_cast<int>(mode.height),
      channels);
  avifRGBImage rgb;
  avifRGBImageSetDefaults(&rgb, image.get());
  rgb.depth = 8;
  rgb.format = mode.alpha ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
  rgb.pixels = pixels.data();
  rgb.rowBytes = mode.width * static_cast<std::uint32_t>(channels);
  SWAVD_CHECK(avifImageRGBToYUV(image.get(), &rgb) == AVIF_RESULT_OK);
  return image;
}

/// Where the box of this kind is, wherever it is.
std::size_t box(const ByteVector& file, std::string_view kind) {
  const std::size_t at = as_text(file).find(kind);
  SWAVD_CHECK(at != std::string_view::npos && at >= 4);
  return at - 4;
}

/// A film says when it was made.
ByteVector without_times(ByteVector file) {
  constexpr std::size_t kTimes = 12;  // behind length, kind and version
  const ByteVector never(16, 0);
  for (const char* kind : {"mvhd", "tkhd", "mdhd"}) {
    file = overwritten(file, box(file, kind) + kTimes, never);
  }
  return file;
}

ByteVector encoded(std::uint64_t seed, const Mode& mode) {
  constexpr int kSpeed = 6;  // from 7 on libaom fails assertions of its own
  const std::unique_ptr<avifEncoder, DestroyEncoder> encoder(
      avifEncoderCreate());
  SWAVD_CHECK(encoder != nullptr);
  encoder->maxThreads = 1;
  encoder->speed = kSpeed;
  avifRWData out = AVIF_DATA_EMPTY;
  if (mode.columns > 1) {
    std::vector<AvifImage> cells;
    std::vector<const avifImage*> pointers;
    for (std::uint32_t i = 0; i < mode.columns; ++i) {
      cells.push_back(image(seed + i, mode));
      pointers.push_back(cells.back().get());
    }
    SWAVD_CHECK(
        avifEncoderAddImageGrid(
            encoder.get(),
            mode.columns,
            1,
            pointers.data(),
            AVIF_ADD_IMAGE_FLAG_SINGLE) == AVIF_RESULT_OK);
  }
  for (int i = 0; mode.columns == 1 && i < mode.frames; ++i) {
    SWAVD_CHECK(
        avifEncoderAddImage(
            encoder.get(),
            image(seed + static_cast<std::uint64_t>(i), mode).get(),
            /*durationInTimescales=*/1,
            mode.frames == 1 ? AVIF_ADD_IMAGE_FLAG_SINGLE
                             : AVIF_ADD_IMAGE_FLAG_NONE) == AVIF_RESULT_OK);
  }
  SWAVD_CHECK(avifEncoderFinish(encoder.get(), &out) == AVIF_RESULT_OK);
  ByteVector file(out.data, out.data + out.size);
  avifRWDataFree(&out);
  return mode.frames > 1 ? without_times(std::move(file)) : file;
}

/// The encoder wants no more than the start of it to be right.
ByteVector exif(std::size_t bytes) {
  return Writer().text(std::string_view("II*\0", 4)).fill(bytes, 0x22).done();
}

std::size_t length_at(const ByteVector& file, std::size_t at) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    length = length << 8U | file[at + i];
  }
  return length;
}

/// The boxes of the outermost level, and those within "meta".
std::vector<Part> parts_of(const ByteVector& file) {
  constexpr std::size_t kHeader = 8;
  constexpr std::size_t kVersion = 4;
  std::vector<Part> parts;
  const auto name = [&](std::size_t at) {
    return std::string(as_text(Bytes(file).subspan(at + 4, 4)));
  };
  for (std::size_t at = 0; at < file.size(); at += length_at(file, at)) {
    parts.push_back({name(at), at, at + length_at(file, at)});
    if (name(at) == "meta") {
      const std::size_t end = at + length_at(file, at);
      for (std::size_t in = at + kHeader + kVersion; in < end;
           in += length_at(file, in)) {
        parts.push_back({name(in), in, in + length_at(file, in)});
      }
    }
  }
  return parts;
}

void add_modes(std::uint64_t seed, Files& files) {
  const auto add = [&](const std::string& name, const Mode& mode) {
    files.push_back(
        {"avif/" + name, Kind::kGood, "image", encoded(seed, mode)});
  };

  struct Named {
    const char* name;
    avifPixelFormat format;
  };

  for (const Named& each : std::initializer_list<Named>{
           {"444", AVIF_PIXEL_FORMAT_YUV444},
           {"422", AVIF_PIXEL_FORMAT_YUV422},
           {"420", AVIF_PIXEL_FORMAT_YUV420},
           {"400", AVIF_PIXEL_FORMAT_YUV400}}) {
    for (const std::uint32_t depth : {8U, 10U, 12U}) {
      Mode mode;
      mode.format = each.format;
      mode.depth = depth;
      add(fmt::format("yuv{}-{}", each.name, depth), mode);
    }
  }
  Mode mode;
  mode.alpha = true;
  add("alpha", mode);
  mode = {};
  mode.limited = true;
  add("limited-range", mode);
  for (std::uint8_t turns = 1; turns < 4; ++turns) {
    mode = {};
    mode.quarter_turns = turns;
    add(fmt::format("turned-{}", turns), mode);
  }
  mode = {};
  mode.width = mode.height = 1;
  add("one-pixel", mode);
  mode = {};
  mode.frames = 3;
  add("animated", mode);
  mode = {};
  mode.width = mode.height = 64;
  mode.columns = 2;
  add("grid", mode);
  mode = {};
  mode.profile = ByteVector(3000, 0x44);
  mode.exif = exif(500);
  add("metadata-of-no-meaning", mode);
}

void add_broken(std::uint64_t seed, Files& files) {
  const auto add =
      [&](const char* name, const char* verdict, const ByteVector& bytes) {
        files.push_back(
            {fmt::format("avif/{}", name), Kind::kDamaged, verdict, bytes});
      };
  const ByteVector good = encoded(seed, {});
  constexpr std::size_t kSides = 12;  // behind length, kind and version
  const auto sized = [&](std::uint32_t width, std::uint32_t height) {
    return overwritten(
        good,
        box(good, "ispe") + kSides,
        Writer().big(width, 4).big(height, 4).done());
  };
  add("width-0", "", sized(0, kHeight));
  add("sides-5000", "", sized(5000, 5000));
  add("sides-65535", "too_many_pixels", sized(65535, 65535));
  add("sides-4294967295", "too_many_pixels", sized(0xffffffff, 0xffffffff));
  const auto length = [&](const char* kind, std::uint32_t value) {
    return overwritten(good, box(good, kind), Writer().big(value, 4).done());
  };
  for (const char* kind : {"ftyp", "meta", "mdat", "iprp", "iloc", "pitm"}) {
    for (const std::uint32_t value : {0U, 1U, 7U, 8U, 0x7fffffffU}) {
      add(fmt::format("{}-of-{}-bytes", kind, value).c_str(),
          "",
          length(kind, value));
    }
  }
  add("brand-of-a-film",
      "unknown_format",
      Writer()
          .big(24, 4)
          .text("ftypisom")
          .big(0, 4)
          .text("isommp42")
          .bytes(Bytes(good).subspan(length_at(good, 0)))
          .done());
  add("brand-of-heic",
      "unknown_format",
      Writer()
          .big(20, 4)
          .text("ftypheic")
          .big(0, 4)
          .text("mif1")
          .bytes(Bytes(good).subspan(length_at(good, 0)))
          .done());
}

void add_bombs(std::uint64_t seed, Files& files) {
  const auto add =
      [&](const char* name, const char* verdict, const ByteVector& bytes) {
        files.push_back(
            {fmt::format("avif/{}", name), Kind::kBomb, verdict, bytes});
      };
  const ByteVector good = encoded(seed, {});
  const std::size_t first = length_at(good, 0);
  const auto with = [&](const ByteVector& middle) {
    return Writer()
        .bytes(cut(good, first))
        .bytes(middle)
        .bytes(Bytes(good).subspan(first))
        .done();
  };
  Writer empty;
  for (int i = 0; i < 500'000; ++i) {
    empty.big(8, 4).text("free");
  }
  add("empty-boxes-without-end", "", with(empty.done()));
  Writer large;
  large.big(4'000'008, 4).text("free").fill(4'000'000, 0x11);
  add("a-box-of-megabytes", "", with(large.done()));
  Mode metadata;
  metadata.exif = exif(4'000'000);
  add("exif-of-megabytes", "image", encoded(seed, metadata));
  metadata = {};
  metadata.profile = ByteVector(4'000'000, 0x22);
  add("profile-of-megabytes", "image", encoded(seed, metadata));
  Mode film;
  film.frames = 50;
  film.width = film.height = 8;
  add("dozens-of-frames", "image", encoded(seed, film));
  add("megabytes-behind-the-end",
      "",
      Writer().bytes(good).fill(4'000'000, 0x5a).done());
}

}  // namespace

Files avif_files(std::uint64_t seed) {
  Files files;
  add_modes(seed, files);
  constexpr std::array<std::string_view, 3> kBroken = {
      "avif/yuv420-8", "avif/alpha", "avif/grid"};
  add_damaged(kBroken, parts_of, seed, files);
  add_broken(seed, files);
  add_bombs(seed, files);
  return files;
}

}  // namespace swavd::odd_files
