#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <tiffio.h>

#include "dedup_free_loader/decode/color_profile.h"
#include "dedup_free_loader/decode/decoders.h"
#include "dedup_free_loader/decode/orientation.h"
#include "dedup_free_loader/decode/samples.h"

namespace swavd::loader {

namespace {

/// What libtiff reads from, and the first error it told.
struct Input {
  Bytes file;
  std::uint64_t place = 0;
  bool ran_out = false;
  std::string error;
};

Input& input_of(thandle_t handle) {
  return *static_cast<Input*>(handle);
}

tmsize_t read_input(thandle_t handle, void* target, tmsize_t wanted) {
  Input& input = input_of(handle);
  const auto want = static_cast<std::size_t>(std::max<tmsize_t>(wanted, 0));
  const std::size_t left =
      input.file.size() -
      std::min<std::uint64_t>(input.place, input.file.size());
  const std::size_t count = std::min(want, left);
  input.ran_out |= count < want;
  if (count > 0) {
    std::memcpy(target, input.file.data() + input.place, count);
  }
  input.place += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t write_nothing(thandle_t, void*, tmsize_t) {
  return -1;
}

toff_t seek_input(thandle_t handle, toff_t offset, int whence) {
  Input& input = input_of(handle);
  switch (whence) {
    case SEEK_CUR:
      input.place += offset;
      break;
    case SEEK_END:
      input.place = input.file.size() + offset;
      break;
    default:
      input.place = offset;
  }
  return input.place;
}

int close_nothing(thandle_t) {
  return 0;
}

toff_t size_of_input(thandle_t handle) {
  return input_of(handle).file.size();
}

constexpr int kHandled = 1;  // libtiff's own handlers print

int on_error(
    TIFF* /*tiff*/,
    void* user,
    const char* where,
    const char* format,
    std::va_list arguments) {
  auto& input = *static_cast<Input*>(user);
  if (input.error.empty()) {
    std::array<char, 256> text{};
    std::vsnprintf(text.data(), text.size(), format, arguments);
    input.error = where == nullptr ? text.data()
                                   : fmt::format("{}: {}", where, text.data());
  }
  return kHandled;
}

int on_warning(TIFF*, void*, const char*, const char*, std::va_list) {
  return kHandled;
}

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};

struct FreeOptions {
  void operator()(TIFFOpenOptions* options) const {
    TIFFOpenOptionsFree(options);
  }
};

using Tiff = std::unique_ptr<TIFF, CloseTiff>;

// No tag and no block of a file that is read is larger: 12 bytes a pixel are
// six samples of 16 bits.
std::uint64_t most_memory(const DecodeLimits& limits) {
  constexpr std::uint64_t kBytesOfAPixel = 12;
  return std::max(limits.max_bytes, kBytesOfAPixel * limits.max_pixels);
}

Tiff open(Input& input, const DecodeLimits& limits) {
  const std::unique_ptr<TIFFOpenOptions, FreeOptions> options(
      TIFFOpenOptionsAlloc());
  if (options == nullptr) {
    return nullptr;
  }
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &input);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, nullptr);
  TIFFOpenOptionsSetMaxSingleMemAlloc(
      options.get(), static_cast<tmsize_t>(most_memory(limits)));
  return Tiff(TIFFClientOpenExt(
      "TIFF",
      "rm",  // to read, and not from mapped memory
      &input,
      read_input,
      write_nothing,
      seek_input,
      close_nothing,
      size_of_input,
      /*map=*/nullptr,
      /*unmap=*/nullptr,
      options.get()));
}

Rejection failed(const Input& input) {
  return {
      input.ran_out ? RejectReason::kTruncated : RejectReason::kMalformed,
      input.error.empty() ? "TIFF: it cannot be read" : input.error};
}

Rejection unsupported(const std::string& what) {
  return {RejectReason::kUnsupported, fmt::format("TIFF: {}", what)};
}

/// How samples make a colour.
enum class Color { kGray, kGrayInverted, kPalette, kRgb, kInk };

struct Layout {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint16_t bits = 1;     ///< of a sample
  std::uint16_t samples = 1;  ///< of a pixel
  std::uint16_t photometric = PHOTOMETRIC_MINISWHITE;
  std::uint16_t compression = COMPRESSION_NONE;
  std::uint16_t format = SAMPLEFORMAT_UINT;
  bool planes = false;         ///< each sample in blocks of its own
  bool premultiplied = false;  ///< the fourth sample is in the colour
  Color color = Color::kGray;
};

/// The first of the extra samples says what alpha there is.
bool is_premultiplied(TIFF* tiff) {
  std::uint16_t count = 0;
  std::uint16_t* kinds = nullptr;  // owned by libtiff
  return TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds) != 0 &&
         count > 0 && kinds[0] == EXTRASAMPLE_ASSOCALPHA;
}

Layout read_layout(TIFF* tiff) {
  Layout layout;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &layout.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &layout.height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &layout.bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &layout.samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &layout.format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &layout.compression);
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &layout.photometric);
  std::uint16_t planar = PLANARCONFIG_CONTIG;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planar);
  layout.planes = planar == PLANARCONFIG_SEPARATE && layout.samples > 1;
  layout.premultiplied = is_premultiplied(tiff);
  return layout;
}

/// Of the compressions that Pillow knows those that are not of another age.
bool is_known_compression(std::uint16_t compression) {
  constexpr std::array<std::uint16_t, 12> kKnown = {
      COMPRESSION_NONE,
      COMPRESSION_CCITTRLE,
      COMPRESSION_CCITTFAX3,
      COMPRESSION_CCITTFAX4,
      COMPRESSION_LZW,
      COMPRESSION_JPEG,
      COMPRESSION_ADOBE_DEFLATE,
      COMPRESSION_DEFLATE,
      COMPRESSION_PACKBITS,
      COMPRESSION_LZMA,
      COMPRESSION_ZSTD,
      COMPRESSION_WEBP};
  return std::find(kKnown.begin(), kKnown.end(), compression) != kKnown.end() &&
         TIFFIsCODECConfigured(compression) != 0;
}

/// Finds out how samples make a colour; nullopt when they do in no way that is
/// known here.
std::optional<Color> color_of(const Layout& layout) {
  const bool bytes = layout.bits == 8;
  const bool bytes_or_words = bytes || layout.bits == 16;
  const bool one_of_few_bits =
      layout.samples == 1 &&
      (layout.bits == 1 || layout.bits == 2 || layout.bits == 4);
  switch (layout.photometric) {
    case PHOTOMETRIC_MINISWHITE:
      if (one_of_few_bits || bytes) {
        return Color::kGrayInverted;
      }
      break;
    case PHOTOMETRIC_MINISBLACK:
      if (one_of_few_bits || bytes_or_words) {
        return Color::kGray;
      }
      break;
    case PHOTOMETRIC_PALETTE:
      if (one_of_few_bits || bytes) {
        return Color::kPalette;
      }
      break;
    case PHOTOMETRIC_RGB:
      if (bytes_or_words && layout.samples >= 3) {
        return Color::kRgb;
      }
      break;
    case PHOTOMETRIC_YCBCR:
      // The JPEG decoder in libtiff makes RGB of it.
      if (bytes && layout.samples == 3 && !layout.planes &&
          layout.compression == COMPRESSION_JPEG) {
        return Color::kRgb;
      }
      break;
    case PHOTOMETRIC_SEPARATED:
      if (bytes_or_words && layout.samples >= 4) {
        return Color::kInk;
      }
      break;
    default:
      break;
  }
  return std::nullopt;
}

/// Why pixels of this kind are not read, if they are not.
std::optional<Rejection> check_kind(Layout& layout) {
  constexpr std::uint16_t kMostSamples = 6;
  if (!is_known_compression(layout.compression)) {
    return unsupported(fmt::format("compression {}", layout.compression));
  }
  const auto color = color_of(layout);
  if (!color || layout.format != SAMPLEFORMAT_UINT ||
      layout.samples > kMostSamples) {
    return unsupported(fmt::format(
        "{} samples of {} bits, format {}, photometric interpretation {}",
        layout.samples,
        layout.bits,
        layout.format,
        layout.photometric));
  }
  layout.color = *color;
  return std::nullopt;
}

/// The samples of a pixel that its colour is made of.
std::size_t color_samples(const Layout& layout) {
  switch (layout.color) {
    case Color::kRgb:
      return layout.premultiplied && layout.samples > 3 ? 4 : 3;
    case Color::kInk:
      return 4;
    default:
      return 1;
  }
}

/// The strips or tiles of a picture; a strip is a tile as wide as it.
struct Blocks {
  bool tiles = false;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};

Blocks read_blocks(TIFF* tiff, const Layout& layout) {
  Blocks blocks;
  blocks.tiles = TIFFIsTiled(tiff) != 0;
  if (blocks.tiles) {
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &blocks.width);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &blocks.height);
    return blocks;
  }
  blocks.width = layout.width;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &blocks.height);
  blocks.height = std::min(blocks.height, layout.height);
  return blocks;
}

Palette read_palette(TIFF* tiff, const Layout& layout) {
  Palette palette = gray_palette();
  std::array<std::uint16_t*, 3> channels{};  // owned by libtiff
  if (layout.color != Color::kPalette ||
      TIFFGetField(
          tiff, TIFFTAG_COLORMAP, &channels[0], &channels[1], &channels[2]) ==
          0) {
    return palette;
  }
  const std::size_t entries = std::size_t{1} << layout.bits;
  for (std::size_t i = 0; i < entries; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      palette[i][c] = static_cast<std::uint8_t>(channels[c][i] >> 8U);
    }
  }
  return palette;
}

/// As Pillow: the first 255 of 65,536 shades are told apart, all others white.
void clip_gray(const std::uint8_t* row, std::size_t count, std::uint8_t* out) {
  for (std::size_t i = 0; i < count; ++i) {
    std::uint16_t value = 0;
    std::memcpy(&value, row + 2 * i, sizeof(value));
    out[i] = static_cast<std::uint8_t>(std::min<std::uint16_t>(value, 255));
  }
}

/// Makes bytes of `count` samples in libtiff's order.
void to_bytes(
    const std::uint8_t* row,
    const Layout& layout,
    std::size_t count,
    std::uint8_t* out) {
  if (layout.bits == 16 && layout.color == Color::kGray) {
    clip_gray(row, count, out);
  } else if (layout.bits == 16) {
    for (std::size_t i = 0; i < count; ++i) {
      std::uint16_t value = 0;
      std::memcpy(&value, row + 2 * i, sizeof(value));
      out[i] = static_cast<std::uint8_t>(value >> 8U);
    }
  } else {
    unpack_samples(row, layout.bits, count, out);
  }
}

std::uint8_t without_alpha(unsigned value, unsigned alpha) {
  constexpr unsigned kFull = 255;
  return static_cast<std::uint8_t>(
      alpha == 0 ? 0 : std::min(value * kFull / alpha, kFull));
}

const SrgbTransform* transform_of(TIFF* tiff, const Layout& layout) {
  std::uint32_t bytes = 0;
  const std::uint8_t* profile = nullptr;  // owned by libtiff
  if (TIFFGetField(tiff, TIFFTAG_ICCPROFILE, &bytes, &profile) == 0) {
    return nullptr;
  }
  switch (layout.color) {
    case Color::kInk:
      return find_transform({profile, bytes}, Samples::kInk);
    case Color::kGray:
    case Color::kGrayInverted:
      return find_transform({profile, bytes}, Samples::kGray);
    default:
      return find_transform({profile, bytes}, Samples::kRgb);
  }
}

/// Makes colours of bytes: `stride` of them a pixel.
void to_rgb(
    const std::uint8_t* samples,
    std::size_t stride,
    const Layout& layout,
    const Palette& palette,
    std::size_t count,
    std::uint8_t* rgb) {
  const unsigned most = layout.bits < 8 ? (1U << layout.bits) - 1U : 255U;
  for (std::size_t x = 0; x < count; ++x, samples += stride, rgb += 3) {
    switch (layout.color) {
      case Color::kGray:
        std::memset(rgb, static_cast<int>(samples[0] * 255U / most), 3);
        break;
      case Color::kGrayInverted:
        std::memset(rgb, static_cast<int>(255U - samples[0] * 255U / most), 3);
        break;
      case Color::kPalette:
        std::memcpy(rgb, palette[samples[0]].data(), 3);
        break;
      case Color::kRgb:
        std::memcpy(rgb, samples, 3);
        if (layout.premultiplied && stride > 3) {
          for (std::size_t c = 0; c < 3; ++c) {
            rgb[c] = without_alpha(samples[c], samples[3]);
          }
        }
        break;
      case Color::kInk:
        ink_to_rgb(samples, rgb);
        break;
    }
  }
}

/// Moves the inks of a row together: of `stride` samples a pixel the first
/// four.
void without_extra_samples(
    std::uint8_t* row,
    std::size_t stride,
    std::size_t width) {
  constexpr std::size_t kInks = 4;
  for (std::size_t x = 0; stride > kInks && x < width; ++x) {
    std::memmove(row + kInks * x, row + stride * x, kInks);
  }
}

/// Reads a picture block by block.
class BlockReader {
 public:
  /// `transform`, of ink, may be null.
  BlockReader(
      TIFF* tiff,
      const Layout& layout,
      const Blocks& blocks,
      const SrgbTransform* transform)
      : tiff_(tiff),
        layout_(layout),
        blocks_(blocks),
        transform_(transform),
        palette_(read_palette(tiff, layout)),
        stride_(layout.planes ? color_samples(layout) : layout.samples),
        row_bytes_(static_cast<std::size_t>(
            blocks.tiles ? TIFFTileRowSize(tiff) : TIFFScanlineSize(tiff))),
        block_bytes_(static_cast<std::size_t>(
            blocks.tiles ? TIFFTileSize(tiff) : TIFFStripSize(tiff))) {}

  /// False after an error of libtiff.
  bool read(Image& image) {
    const std::size_t needed = row_bytes_ * blocks_.height;
    const std::size_t planes = layout_.planes ? stride_ : 1;
    const std::size_t per_plane = layout_.planes ? 1 : layout_.samples;
    const std::size_t row_samples = blocks_.width * per_plane;
    if (block_bytes_ < needed ||
        row_bytes_ < (row_samples * layout_.bits + 7) / 8) {
      return false;  // not the layout that the tags tell
    }
    memory_.resize(block_bytes_ * planes);
    plane_row_.resize(row_samples);
    row_.resize(blocks_.width * stride_);
    for (std::uint32_t y = 0; y < layout_.height; y += height_at(y)) {
      for (std::uint32_t x = 0; x < layout_.width; x += width_at(x)) {
        for (std::size_t plane = 0; plane < planes; ++plane) {
          if (!read_block(x, y, plane)) {
            return false;
          }
        }
        draw_block(x, y, planes, image);
      }
    }
    return true;
  }

 private:
  /// Pixels of the block at `x` that lie in the picture.
  [[nodiscard]] std::uint32_t width_at(std::uint32_t x) const {
    return std::min(blocks_.width, layout_.width - x);
  }

  [[nodiscard]] std::uint32_t height_at(std::uint32_t y) const {
    return std::min(blocks_.height, layout_.height - y);
  }

  bool read_block(std::uint32_t x, std::uint32_t y, std::size_t plane) {
    std::uint8_t* const target = memory_.data() + block_bytes_ * plane;
    const auto bytes = static_cast<tmsize_t>(block_bytes_);
    const auto sample = static_cast<std::uint16_t>(plane);
    if (blocks_.tiles) {
      const std::uint32_t tile = TIFFComputeTile(tiff_, x, y, 0, sample);
      return TIFFReadEncodedTile(tiff_, tile, target, bytes) >= 0;
    }
    const std::uint32_t strip = TIFFComputeStrip(tiff_, y, sample);
    return TIFFReadEncodedStrip(tiff_, strip, target, bytes) >= 0;
  }

  void draw_block(
      std::uint32_t x,
      std::uint32_t y,
      std::size_t planes,
      Image& image) {
    const std::size_t per_plane = layout_.planes ? 1 : layout_.samples;
    const std::size_t width = width_at(x);
    for (std::size_t row = 0; row < height_at(y); ++row) {
      for (std::size_t plane = 0; plane < planes; ++plane) {
        const std::uint8_t* from =
            memory_.data() + block_bytes_ * plane + row_bytes_ * row;
        if (!layout_.planes) {
          to_bytes(from, layout_, width * per_plane, row_.data());
          continue;
        }
        to_bytes(from, layout_, width, plane_row_.data());
        for (std::size_t i = 0; i < width; ++i) {
          row_[i * stride_ + plane] = plane_row_[i];
        }
      }
      const std::size_t pixel = (y + row) * layout_.width + x;
      std::uint8_t* const rgb = image.rgb.data() + 3 * pixel;
      if (transform_ != nullptr) {
        without_extra_samples(row_.data(), stride_, width);
        transform_->convert(row_.data(), width, rgb);
      } else {
        to_rgb(row_.data(), stride_, layout_, palette_, width, rgb);
      }
    }
  }

  TIFF* tiff_;
  const Layout& layout_;
  Blocks blocks_;
  const SrgbTransform* transform_;
  Palette palette_;
  std::size_t stride_;       ///< samples of a pixel in `row_`
  std::size_t row_bytes_;    ///< of a row of a block, as libtiff gives it
  std::size_t block_bytes_;  ///< of a block
  std::vector<std::uint8_t> memory_;
  std::vector<std::uint8_t> plane_row_;
  std::vector<std::uint8_t> row_;
};

/// Why blocks of this size are not read, if they are not: one may be larger
/// than the picture.
std::optional<Rejection> check_blocks(
    const Blocks& blocks,
    const DecodeLimits& limits) {
  constexpr std::uint64_t kUsual = 1ULL << 20U;  // pixels
  const std::uint64_t most = std::max(limits.max_pixels, kUsual);
  if (blocks.width == 0 || blocks.height == 0) {
    return Rejection{RejectReason::kMalformed, "TIFF: blocks without pixels"};
  }
  if (blocks.width > most / blocks.height) {
    return Rejection{
        RejectReason::kTooManyPixels,
        fmt::format(
            "TIFF: blocks of {}x{} pixels, the limit is {}",
            blocks.width,
            blocks.height,
            most)};
  }
  return std::nullopt;
}

}  // namespace

Decoded decode_tiff(Bytes file, const DecodeOptions& options) {
  const DecodeLimits& limits = options.limits;
  Input input;
  input.file = file;
  const Tiff tiff = open(input, limits);
  if (tiff == nullptr) {
    return failed(input);
  }
  Layout layout = read_layout(tiff.get());
  if (auto refused = check_size(layout.width, layout.height, limits)) {
    return *refused;
  }
  if (auto refused = check_density(layout.width, layout.height, file)) {
    return *refused;
  }
  if (auto refused = check_kind(layout)) {
    return *refused;
  }
  if (layout.photometric == PHOTOMETRIC_YCBCR) {
    TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
  const Blocks blocks = read_blocks(tiff.get(), layout);
  if (auto refused = check_blocks(blocks, limits)) {
    return *refused;
  }
  Image image = make_image(layout.width, layout.height);
  const SrgbTransform* const transform =
      options.color_profiles ? transform_of(tiff.get(), layout) : nullptr;
  const bool ink = layout.color == Color::kInk;
  if (!BlockReader(tiff.get(), layout, blocks, ink ? transform : nullptr)
           .read(image)) {
    return failed(input);
  }
  if (transform != nullptr && !ink) {
    transform->convert(image);
  }
  // Pillow turns it without being asked, unlike the other formats.
  std::uint16_t orientation = kUpright;
  TIFFGetField(tiff.get(), TIFFTAG_ORIENTATION, &orientation);
  turn_upright(image, {image.width, image.height}, orientation);
  return image;
}

}  // namespace swavd::loader
