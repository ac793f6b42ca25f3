#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <gif_lib.h>

#include "dedup_free_loader/decode/decoders.h"
#include "dedup_free_loader/decode/lzw.h"
#include "dedup_free_loader/decode/samples.h"

namespace swavd::loader {

namespace {

/// What giflib reads from.
struct Input {
  Bytes rest;
  bool ran_out = false;
};

int read_input(GifFileType* gif, GifByteType* target, int wanted) {
  auto& input = *static_cast<Input*>(gif->UserData);
  const auto want = static_cast<std::size_t>(wanted);
  const std::size_t count = std::min(want, input.rest.size());
  input.ran_out |= count < want;
  if (count > 0) {
    std::memcpy(target, input.rest.data(), count);
  }
  input.rest = input.rest.subspan(count);
  return static_cast<int>(count);
}

struct CloseGif {
  void operator()(GifFileType* gif) const {
    DGifCloseFile(gif, /*ErrorCode=*/nullptr);
  }
};

using Gif = std::unique_ptr<GifFileType, CloseGif>;

Rejection reject(const Input& input, int code) {
  const char* text = GifErrorString(code);
  const std::string detail =
      fmt::format("GIF: {}", text == nullptr ? "unknown error" : text);
  if (code == D_GIF_ERR_NOT_ENOUGH_MEM) {
    return {RejectReason::kTooManyPixels, detail};
  }
  return {
      input.ran_out ? RejectReason::kTruncated : RejectReason::kMalformed,
      detail};
}

/// Reads one extension; keeps the transparent index of a graphics control
/// block in `transparent`. False on an error of giflib.
bool read_extension(GifFileType& gif, int& transparent) {
  int kind = 0;
  GifByteType* block = nullptr;  // its length, then its bytes
  if (DGifGetExtension(&gif, &kind, &block) == GIF_ERROR) {
    return false;
  }
  while (block != nullptr) {
    if (kind == GRAPHICS_EXT_FUNC_CODE && block[0] >= 4) {
      constexpr unsigned kHasTransparent = 1;
      if ((block[1] & kHasTransparent) != 0) {
        transparent = block[4];
      }
    }
    if (DGifGetExtensionNext(&gif, &block) == GIF_ERROR) {
      return false;
    }
  }
  return true;
}

enum class Found { kFrame, kNone, kError };

/// Reads up to the first frame's description.
Found find_frame(GifFileType& gif, int& transparent) {
  while (true) {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(&gif, &record) == GIF_ERROR) {
      return Found::kError;
    }
    switch (record) {
      case IMAGE_DESC_RECORD_TYPE:
        return DGifGetImageDesc(&gif) == GIF_ERROR ? Found::kError
                                                   : Found::kFrame;
      case EXTENSION_RECORD_TYPE:
        if (!read_extension(gif, transparent)) {
          return Found::kError;
        }
        break;
      default:
        return Found::kNone;
    }
  }
}

/// The frame's own palette, else the file's.
Palette palette_of(const GifFileType& gif) {
  Palette palette = gray_palette();
  const ColorMapObject* colors =
      gif.Image.ColorMap != nullptr ? gif.Image.ColorMap : gif.SColorMap;
  if (colors != nullptr) {
    for (int i = 0; i < std::min(colors->ColorCount, 256); ++i) {
      const GifColorType& color = colors->Colors[i];
      palette[static_cast<std::size_t>(i)] = {
          color.Red, color.Green, color.Blue};
    }
  }
  return palette;
}

/// The rows of a frame in the order the file stores them.
std::vector<std::size_t> row_order(std::size_t height, bool interlaced) {
  std::vector<std::size_t> order;
  order.reserve(height);

  struct Pass {
    std::size_t first, step;
  };

  constexpr std::array<Pass, 4> kInterlaced = {
      {{0, 8}, {4, 8}, {2, 4}, {1, 2}}};
  if (!interlaced) {
    for (std::size_t y = 0; y < height; ++y) {
      order.push_back(y);
    }
    return order;
  }
  for (const Pass& pass : kInterlaced) {
    for (std::size_t y = pass.first; y < height; y += pass.step) {
      order.push_back(y);
    }
  }
  return order;
}

/// The frame's LZW codes, a block at a time. giflib unpacks them as well, but
/// takes a thousand times as long for a byte of codes that give no pixel.
class CodeBlocks {
 public:
  explicit CodeBlocks(GifFileType& gif) : gif_(gif) {}

  /// Bits of an index, as the file says.
  int code_size() {
    int size = 0;
    failed_ = DGifGetCode(&gif_, &size, &block_) == GIF_ERROR;
    return size;
  }

  Bytes next() {
    const GifByteType* const block = block_;
    if (failed_ || block == nullptr) {
      return {};
    }
    copy_.assign(block + 1, block + 1 + block[0]);
    failed_ = DGifGetCodeNext(&gif_, &block_) == GIF_ERROR;
    return copy_;
  }

 private:
  GifFileType& gif_;
  GifByteType* block_ = nullptr;  // its length, then its bytes
  std::vector<GifByteType> copy_;
  bool failed_ = false;
};

/// Draws the frame onto the canvas; what went wrong, if anything did. With
/// `fill` the pixels behind an early end stay as they are.
std::optional<Rejection>
draw_frame(GifFileType& gif, bool fill, Image& canvas) {
  const GifImageDesc& frame = gif.Image;
  const Palette palette = palette_of(gif);
  CodeBlocks blocks(gif);
  const int code_size = blocks.code_size();
  if (code_size < 1 || code_size > LzwReader::kMaxCodeSize) {
    return Rejection{
        RejectReason::kMalformed,
        fmt::format("GIF: the frame's indices have {} bits", code_size)};
  }
  LzwReader reader(code_size, [&] { return blocks.next(); });
  const auto width = static_cast<std::size_t>(frame.Width);
  std::vector<GifByteType> indices(width);
  for (const std::size_t y :
       row_order(static_cast<std::size_t>(frame.Height), frame.Interlace)) {
    const auto [outcome, count] = reader.read(indices);
    if (outcome == LzwReader::Outcome::kBadCode) {
      return Rejection{
          RejectReason::kMalformed, "GIF: the frame has a code of no meaning"};
    }
    canvas.filled = outcome == LzwReader::Outcome::kEnd;
    if (canvas.filled && !fill) {
      return Rejection{
          RejectReason::kTruncated, "GIF: the frame ends before its last row"};
    }
    const std::size_t row = y + static_cast<std::size_t>(frame.Top);
    std::uint8_t* out =
        canvas.rgb.data() + (row * static_cast<std::size_t>(canvas.width) +
                             static_cast<std::size_t>(frame.Left)) *
                                3;
    apply_palette(indices.data(), palette, count, out);
    if (canvas.filled) {
      break;
    }
  }
  return std::nullopt;
}

}  // namespace

Decoded decode_gif(Bytes file, const DecodeOptions& options) {
  Input input{file};
  int code = 0;
  const Gif gif(DGifOpen(&input, read_input, &code));
  if (gif == nullptr) {
    return reject(input, code);
  }
  int transparent = -1;
  switch (find_frame(*gif, transparent)) {
    case Found::kFrame:
      break;
    case Found::kNone:
      return Rejection{RejectReason::kMalformed, "GIF: no frame in the file"};
    case Found::kError:
      return reject(input, gif->Error);
  }
  // A frame that sticks out of the screen widens it, as in Pillow.
  const GifImageDesc& frame = gif->Image;
  const int width = std::max(gif->SWidth, frame.Left + frame.Width);
  const int height = std::max(gif->SHeight, frame.Top + frame.Height);
  if (frame.Width <= 0 || frame.Height <= 0) {
    return Rejection{RejectReason::kMalformed, "GIF: the frame has no pixels"};
  }
  const auto canvas_width = static_cast<std::uint64_t>(width);
  const auto canvas_height = static_cast<std::uint64_t>(height);
  if (auto refused = check_size(canvas_width, canvas_height, options.limits)) {
    return *refused;
  }
  if (auto refused = check_density(canvas_width, canvas_height, file)) {
    return *refused;
  }
  Image image = make_image(canvas_width, canvas_height);
  const Palette palette = palette_of(*gif);
  const auto background =
      palette[static_cast<std::size_t>(std::max(transparent, 0))];
  fill(image, background);
  if (auto refused = draw_frame(*gif, options.fill_truncated, image)) {
    return *refused;
  }
  return image;
}

}  // namespace swavd::loader
