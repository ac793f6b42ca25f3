#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "dedup_free_loader/decode/decoders.h"
#include "dedup_free_loader/decode/samples.h"

// A reader of our own: the format is a header and rows of bytes, and a library
// for it would be more to trust than this page.

namespace swavd::loader {

namespace {

constexpr std::size_t kFileHeader = 14;
// The shortest header that tells how pixels are compressed.
constexpr std::uint32_t kHeaderWithKind = 40;

/// How the pixels are stored; the numbers of the format.
enum Compression : std::uint32_t {
  kRows = 0,
  kRuns8 = 1,
  kRuns4 = 2,
  kMasks = 3,
};

struct Header {
  std::uint32_t bytes = 0;  ///< of the header that follows the file's
  std::uint64_t width = 0;
  std::uint64_t height = 0;
  bool top_down = false;
  std::uint32_t bits = 0;  ///< of a pixel
  std::uint32_t compression = kRows;
  std::uint64_t colors = 0;           ///< entries of the palette
  std::uint64_t bytes_per_color = 4;  ///< 3 in OS/2's first version
  std::array<std::uint32_t, 3> masks{};
  std::uint64_t pixels = 0;  ///< where they begin in the file
};

/// A number in the file's order of bytes, the lowest first; the caller has
/// checked that it is inside.
std::uint32_t number(Bytes file, std::size_t at, std::size_t bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    value |= std::uint32_t{file[at + i]} << (8 * i);
  }
  return value;
}

Rejection truncated(std::string_view what) {
  return {
      RejectReason::kTruncated,
      fmt::format("BMP: the file ends within {}", what)};
}

Rejection unsupported(const std::string& what) {
  return {RejectReason::kUnsupported, fmt::format("BMP: {}", what)};
}

/// Sizes and kind of the picture.
void read_numbers(Bytes file, Header& header) {
  constexpr std::uint32_t kOs2Header = 12;
  const auto at = [file](std::size_t place, std::size_t bytes) {
    return number(file, kFileHeader + place, bytes);
  };
  if (header.bytes == kOs2Header) {
    header.width = at(4, 2);
    header.height = at(6, 2);
    header.bits = at(10, 2);
    header.bytes_per_color = 3;
    return;
  }
  header.width = at(4, 4);
  // A negative height says that the first row is the upper one.
  const std::uint32_t height = at(8, 4);
  header.top_down = (height >> 31U) != 0;
  header.height = header.top_down ? (std::uint64_t{1} << 32U) - height : height;
  header.bits = at(14, 2);
  if (header.bytes < kHeaderWithKind) {
    return;
  }
  header.compression = at(16, 4);
  header.colors = at(32, 4);
}

bool is_known_header(std::uint32_t bytes) {
  constexpr std::array<std::uint32_t, 8> kKnown = {
      12, 16, 40, 52, 56, 64, 108, 124};
  return std::find(kKnown.begin(), kKnown.end(), bytes) != kKnown.end();
}

/// Why pixels of this kind are not read, if they are not.
std::optional<Rejection> check_kind(const Header& header) {
  const std::uint32_t bits = header.bits;
  switch (header.compression) {
    case kRows:
      if (bits == 1 || bits == 2 || bits == 4 || bits == 8 || bits == 16 ||
          bits == 24 || bits == 32) {
        return std::nullopt;
      }
      break;
    case kRuns8:
    case kRuns4:
      if (bits == (header.compression == kRuns8 ? 8U : 4U)) {
        return std::nullopt;
      }
      break;
    case kMasks:
      if (bits == 16 || bits == 24 || bits == 32) {
        return std::nullopt;
      }
      break;
    default:
      return unsupported(fmt::format("compression {}", header.compression));
  }
  return unsupported(fmt::format(
      "{} bits a pixel with compression {}", bits, header.compression));
}

/// Where red, green and blue lie in a pixel of 16 bits and more.
std::array<std::uint32_t, 3> usual_masks(std::uint32_t bits) {
  if (bits == 16) {
    return {0x7c00, 0x03e0, 0x001f};
  }
  return {0xff0000, 0x00ff00, 0x0000ff};
}

bool is_contiguous(std::uint32_t mask) {
  const std::uint32_t low = mask == 0 ? 0 : mask >> std::countr_zero(mask);
  return (low & (low + 1)) == 0;
}

std::optional<Rejection> read_masks(Bytes file, Header& header) {
  header.masks = usual_masks(header.bits);
  if (header.compression != kMasks) {
    return std::nullopt;
  }
  // They follow the oldest header and are a part of the later ones: there too
  // 40 bytes after it begins.
  constexpr std::size_t kMasksAt = kFileHeader + 40;
  if (file.size() < kMasksAt + 12) {
    return truncated("its colour masks");
  }
  std::array<std::uint32_t, 3> masks{};
  for (std::size_t c = 0; c < 3; ++c) {
    masks[c] = number(file, kMasksAt + 4 * c, 4);
    if (!is_contiguous(masks[c])) {
      return unsupported(fmt::format("the colour mask {:#x}", masks[c]));
    }
  }
  if (masks != std::array<std::uint32_t, 3>{}) {
    header.masks = masks;
  }
  return std::nullopt;
}

/// Where the palette begins.
std::uint64_t palette_at(const Header& header) {
  return kFileHeader + header.bytes;
}

std::variant<Header, Rejection> read_header(
    Bytes file,
    const DecodeLimits& limits) {
  Header header;
  if (file.size() < kFileHeader + 4) {
    return truncated("its header");
  }
  header.bytes = number(file, kFileHeader, 4);
  if (!is_known_header(header.bytes)) {
    return unsupported(fmt::format("a header of {} bytes", header.bytes));
  }
  if (file.size() < kFileHeader + header.bytes) {
    return truncated("its header");
  }
  read_numbers(file, header);
  if (auto refused = check_size(header.width, header.height, limits)) {
    return *refused;
  }
  if (auto refused = check_kind(header)) {
    return *refused;
  }
  if (auto refused = read_masks(file, header)) {
    return *refused;
  }
  if (header.bits <= 8 && header.colors == 0) {
    header.colors = std::uint64_t{1} << header.bits;
  }
  header.pixels = number(file, 10, 4);
  const std::uint64_t palette = palette_at(header);
  if (header.pixels == 0) {
    header.pixels =
        palette +
        (header.bits <= 8 ? header.bytes_per_color * header.colors : 0);
  } else if (header.pixels == palette && header.bits <= 8) {
    // Some writers point at the palette; Pillow reads their files.
    header.pixels += 4 * header.colors;
  }
  return header;
}

Palette read_palette(Bytes file, const Header& header) {
  Palette palette = gray_palette();
  const std::uint64_t first = palette_at(header);
  for (std::size_t i = 0; i < palette.size() && i < header.colors; ++i) {
    const std::uint64_t at = first + header.bytes_per_color * i;
    if (at + 3 > file.size()) {
      break;
    }
    palette[i] = {file[at + 2], file[at + 1], file[at]};
  }
  return palette;
}

/// One channel of a pixel, as a byte.
class Channel {
 public:
  explicit Channel(std::uint32_t mask)
      : mask_(mask),
        shift_(mask == 0 ? 0 : static_cast<unsigned>(std::countr_zero(mask))),
        most_(mask >> shift_) {}

  [[nodiscard]] std::uint8_t of(std::uint32_t pixel) const {
    constexpr std::uint64_t kFull = 255;
    const std::uint64_t value = (pixel & mask_) >> shift_;
    return most_ == 0 ? std::uint8_t{0}
                      : static_cast<std::uint8_t>(value * kFull / most_);
  }

 private:
  std::uint32_t mask_;
  unsigned shift_;
  std::uint32_t most_;
};

void masked_to_rgb(
    Bytes row,
    const Header& header,
    std::size_t width,
    std::uint8_t* rgb) {
  const std::array<Channel, 3> channels = {
      Channel(header.masks[0]),
      Channel(header.masks[1]),
      Channel(header.masks[2])};
  const std::size_t bytes = header.bits / 8;
  for (std::size_t x = 0; x < width; ++x) {
    const std::uint32_t pixel = number(row, bytes * x, bytes);
    for (std::size_t c = 0; c < 3; ++c) {
      rgb[3 * x + c] = channels[c].of(pixel);
    }
  }
}

/// The row of the picture that is stored as number `y`.
std::uint8_t* target_row(const Header& header, Image& image, std::uint64_t y) {
  const std::uint64_t row = header.top_down ? y : header.height - 1 - y;
  return image.rgb.data() + row * header.width * 3;
}

/// With `fill` rows that the file does not have are of bytes 0.
Decoded decode_rows(Bytes file, const Header& header, bool fill) {
  constexpr std::uint64_t kPadTo = 32;  // bits
  const std::uint64_t stride =
      (header.width * header.bits + kPadTo - 1) / kPadTo * 4;
  const std::uint64_t row_bytes = (header.width * header.bits + 7) / 8;
  const std::uint64_t needed = stride * (header.height - 1) + row_bytes;
  const Bytes rows = file.subspan(std::min(header.pixels, file.size()));
  if (rows.size() < (fill ? 1 : needed)) {
    return truncated("its rows");
  }
  Image image = make_image(header.width, header.height);
  image.filled = rows.size() < needed;
  const Palette palette = read_palette(file, header);
  std::vector<std::uint8_t> indices(header.bits <= 8 ? header.width : 0);
  const ByteVector nothing(row_bytes);
  for (std::uint64_t y = 0; y < header.height; ++y) {
    const bool present = rows.size() >= y * stride + row_bytes;
    const Bytes row =
        present ? rows.subspan(y * stride, row_bytes) : Bytes(nothing);
    std::uint8_t* const rgb = target_row(header, image, y);
    if (header.bits > 8) {
      masked_to_rgb(row, header, header.width, rgb);
      continue;
    }
    unpack_samples(
        row.data(),
        static_cast<int>(header.bits),
        header.width,
        indices.data());
    apply_palette(indices.data(), palette, header.width, rgb);
  }
  return image;
}

/// Reads runs of pixels into indices, stored row by stored row. What no run
/// covers keeps index 0.
class RunReader {
 public:
  RunReader(Bytes runs, const Header& header)
      : rest_(runs),
        half_bytes_(header.compression == kRuns4),
        width_(header.width),
        height_(header.height),
        indices_(header.width * header.height) {}

  /// False when the file ends before the picture does.
  bool read() {
    while (y_ < height_) {
      if (rest_.size() < 2) {
        return false;
      }
      const std::uint8_t count = take();
      const std::uint8_t value = take();
      if (count > 0) {
        repeat(count, value);
        continue;
      }
      switch (value) {
        case kEndOfRow:
          x_ = 0;
          ++y_;
          break;
        case kEndOfPicture:
          return true;
        case kMove:
          if (rest_.size() < 2) {
            return false;
          }
          x_ += take();
          y_ += take();
          break;
        default:
          if (!copy(value)) {
            return false;
          }
      }
      if (x_ >= width_ && y_ + 1 >= height_) {
        return true;  // the last row is full; the end need not be marked
      }
    }
    return true;
  }

  [[nodiscard]] const std::uint8_t* row(std::uint64_t y) const {
    return indices_.data() + y * width_;
  }

 private:
  enum Code : std::uint8_t { kEndOfRow = 0, kEndOfPicture = 1, kMove = 2 };

  std::uint8_t take() {
    const std::uint8_t byte = rest_.front();
    rest_ = rest_.subspan(1);
    return byte;
  }

  /// How many of `count` pixels fit into the row; the others are dropped.
  [[nodiscard]] std::size_t fitting(std::size_t count) const {
    return y_ < height_ && x_ < width_ ? std::min(count, width_ - x_) : 0;
  }

  void repeat(std::size_t count, std::uint8_t value) {
    const std::size_t most = fitting(count);
    for (std::size_t i = 0; i < most; ++i) {
      put(i, half_bytes_ ? half(value, i) : value);
    }
    x_ += count;
  }

  void put(std::size_t i, std::uint8_t index) {
    indices_[y_ * width_ + x_ + i] = index;
  }

  static std::uint8_t half(std::uint8_t byte, std::size_t i) {
    constexpr unsigned kLow = 0x0f;
    return static_cast<std::uint8_t>(i % 2 == 0 ? byte >> 4U : byte & kLow);
  }

  /// Pixels as they are, padded to an even number of bytes.
  bool copy(std::size_t count) {
    const std::size_t bytes = half_bytes_ ? (count + 1) / 2 : count;
    if (rest_.size() < bytes) {
      return false;
    }
    const std::size_t most = fitting(count);
    for (std::size_t i = 0; i < most; ++i) {
      put(i, half_bytes_ ? half(rest_[i / 2], i) : rest_[i]);
    }
    x_ += count;
    rest_ = rest_.subspan(std::min(bytes + bytes % 2, rest_.size()));
    return true;
  }

  Bytes rest_;
  bool half_bytes_;
  std::uint64_t width_;
  std::uint64_t height_;
  std::uint64_t x_ = 0;
  std::uint64_t y_ = 0;
  std::vector<std::uint8_t> indices_;
};

Decoded decode_runs(Bytes file, const Header& header) {
  if (header.pixels > file.size()) {
    return truncated("its runs");
  }
  if (auto refused = check_density(header.width, header.height, file)) {
    return *refused;
  }
  RunReader runs(file.subspan(header.pixels), header);
  if (!runs.read()) {
    return truncated("its runs");
  }
  Image image = make_image(header.width, header.height);
  const Palette palette = read_palette(file, header);
  for (std::uint64_t y = 0; y < header.height; ++y) {
    apply_palette(
        runs.row(y), palette, header.width, target_row(header, image, y));
  }
  return image;
}

}  // namespace

Decoded decode_bmp(Bytes file, const DecodeOptions& options) {
  const auto read = read_header(file, options.limits);
  if (const auto* refused = std::get_if<Rejection>(&read)) {
    return *refused;
  }
  const Header& header = std::get<Header>(read);
  return header.compression == kRuns8 || header.compression == kRuns4
             ? decode_runs(file, header)
             : decode_rows(file, header, options.fill_truncated);
}

}  // namespace swavd::loader
