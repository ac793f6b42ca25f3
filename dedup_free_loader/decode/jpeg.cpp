#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <string_view>
#include <vector>

#include <fmt/format.h>

// jpeglib.h needs FILE and size_t from the headers above.
#include <jerror.h>
#include <jpeglib.h>

#include "dedup_free_loader/decode/color_profile.h"
#include "dedup_free_loader/decode/decoders.h"

namespace swavd::loader {

namespace {

// A scan costs a pass over all blocks but may be a few bytes long: a small
// file could keep a core busy for hours. Real files have about ten.
constexpr int kMaxScans = 100;
constexpr std::uint64_t kMaxPixelsOfScans = std::uint64_t{1} << 29U;
// Our own values of `ErrorState::code`.
constexpr int kTooManyScans = -1;
constexpr int kEndedEarly = -2;

/// libjpeg's error manager, and what went wrong.
struct ErrorState {
  jpeg_error_mgr manager;  // first: libjpeg hands back a pointer to it
  std::jmp_buf jump;
  int code;
  bool ran_out;     // the file ended before the decoder had enough
  bool hit_marker;  // an entropy-coded segment ended early
  bool many_scans;  // of a picture that is being read
  bool fill;        // what is missing is no reason to stop
  char message[JMSG_LENGTH_MAX];
};

/// Everything libjpeg owns. Plain data, because `longjmp` runs no
/// destructors between `setjmp` and the place of the error.
struct Decoder {
  jpeg_decompress_struct info;
  ErrorState error;
  jpeg_progress_mgr progress;
};

ErrorState& error_state(j_common_ptr info) {
  return *reinterpret_cast<ErrorState*>(info->err);
}

[[noreturn]] void on_error(j_common_ptr info) {
  ErrorState& error = error_state(info);
  error.code = info->err->msg_code;
  info->err->format_message(info, error.message);
  std::longjmp(error.jump, 1);
}

void on_message(j_common_ptr info, int level) {
  if (level >= 0) {
    return;  // a trace, not a warning
  }
  ErrorState& error = error_state(info);
  ++info->err->num_warnings;
  error.ran_out |= info->err->msg_code == JWRN_JPEG_EOF;
  error.hit_marker |= info->err->msg_code == JWRN_HIT_MARKER;
  // The verdict is certain: the rest would be unpacked for nothing.
  if (!error.fill && error.ran_out && (error.hit_marker || error.many_scans)) {
    error.code = kEndedEarly;
    std::longjmp(error.jump, 1);
  }
}

void ignore_output(j_common_ptr /*info*/) {}

/// How many scans a picture of this size may have.
int max_scans(const jpeg_decompress_struct& info) {
  const std::uint64_t pixels =
      std::uint64_t{info.image_width} * info.image_height;
  return static_cast<int>(std::min<std::uint64_t>(
      kMaxScans, kMaxPixelsOfScans / std::max<std::uint64_t>(pixels, 1)));
}

void on_progress(j_common_ptr info) {
  const auto& decoder = *reinterpret_cast<j_decompress_ptr>(info);
  if (decoder.input_scan_number > max_scans(decoder)) {
    ErrorState& error = error_state(info);
    error.code = kTooManyScans;
    std::longjmp(error.jump, 1);
  }
}

// The three steps below return false after an error. They hold nothing that
// has a destructor.

bool read_header(Decoder& decoder, Bytes file) {
  decoder.info.err = jpeg_std_error(&decoder.error.manager);
  decoder.error.manager.error_exit = on_error;
  decoder.error.manager.emit_message = on_message;
  decoder.error.manager.output_message = ignore_output;
  if (setjmp(decoder.error.jump) != 0) {
    return false;
  }
  jpeg_create_decompress(&decoder.info);
  decoder.progress.progress_monitor = on_progress;
  decoder.info.progress = &decoder.progress;
  jpeg_mem_src(&decoder.info, file.data(), file.size());
  jpeg_read_header(&decoder.info, TRUE);
  return true;
}

bool start(Decoder& decoder, J_COLOR_SPACE color, unsigned denominator) {
  if (setjmp(decoder.error.jump) != 0) {
    return false;
  }
  decoder.error.many_scans = jpeg_has_multiple_scans(&decoder.info) != 0;
  decoder.info.out_color_space = color;
  decoder.info.scale_num = 1;
  decoder.info.scale_denom = denominator;
  jpeg_start_decompress(&decoder.info);
  return true;
}

/// Reads the next row into `row`.
bool read_row(Decoder& decoder, std::uint8_t* row) {
  if (setjmp(decoder.error.jump) != 0) {
    return false;
  }
  jpeg_read_scanlines(&decoder.info, &row, 1);
  return true;
}

/// Reads all rows before `end` that were not read, `stride` bytes apart, from
/// `first` on.
bool read_rows(
    Decoder& decoder,
    JDIMENSION end,
    std::uint8_t* first,
    std::size_t stride) {
  if (setjmp(decoder.error.jump) != 0) {
    return false;
  }
  const JDIMENSION begin = decoder.info.output_scanline;
  while (decoder.info.output_scanline < end) {
    std::uint8_t* row = first + (decoder.info.output_scanline - begin) * stride;
    jpeg_read_scanlines(&decoder.info, &row, 1);
  }
  return true;
}

/// Leaves out the columns outside [left, left + width), which the decoder
/// widens to whole blocks, and the first `rows` rows.
bool leave_out(
    Decoder& decoder,
    JDIMENSION& left,
    JDIMENSION& width,
    JDIMENSION rows) {
  if (setjmp(decoder.error.jump) != 0) {
    return false;
  }
  if (width < decoder.info.output_width) {
    jpeg_crop_scanline(&decoder.info, &left, &width);
  }
  if (rows > 0) {
    jpeg_skip_scanlines(&decoder.info, rows);
  }
  return true;
}

RejectReason reason_of(const ErrorState& error) {
  switch (error.code) {
    case JERR_BAD_PRECISION:
    case JERR_COMPONENT_COUNT:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_EMPTY_IMAGE:  // also height 0: the DNL marker, never supported
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_SOF_UNSUPPORTED:
    case kTooManyScans:
      return RejectReason::kUnsupported;
    case JERR_IMAGE_TOO_BIG:
    case JERR_OUT_OF_MEMORY:
    case JERR_WIDTH_OVERFLOW:
      return RejectReason::kTooManyPixels;
    default:
      break;
  }
  return error.ran_out ? RejectReason::kTruncated : RejectReason::kMalformed;
}

Rejection ends_early(const jpeg_decompress_struct& info) {
  return {
      RejectReason::kTruncated,
      fmt::format(
          "JPEG of {}x{} pixels ends before its last row",
          info.image_width,
          info.image_height)};
}

Rejection reject(const Decoder& decoder) {
  const ErrorState& error = decoder.error;
  if (error.code == kEndedEarly) {
    return ends_early(decoder.info);
  }
  if (error.code == kTooManyScans) {
    return {
        reason_of(error),
        fmt::format(
            "JPEG of {}x{} pixels with more than {} scans",
            decoder.info.image_width,
            decoder.info.image_height,
            max_scans(decoder.info))};
  }
  return {reason_of(error), fmt::format("JPEG: {}", error.message)};
}

/// True when pixels are missing, not merely the marker at the end. Damage
/// that the decoder bridges inside a complete file is no reason to refuse it.
bool ended_early(Decoder& decoder) {
  const ErrorState& error = decoder.error;
  if (error.many_scans) {
    return error.ran_out;
  }
  const bool at_end = decoder.info.unread_marker == JPEG_EOI;
  return error.hit_marker && (error.ran_out || at_end);
}

/// True when a file of this length cannot hold all blocks: each takes a Huffman
/// code for its first coefficient, and in a sequential file one more.
bool is_too_short(const jpeg_decompress_struct& info, Bytes file) {
  if (info.arith_code != 0) {
    return false;  // has no such bound
  }
  std::uint64_t blocks = 0;
  for (int i = 0; i < info.num_components; ++i) {
    const jpeg_component_info& component = info.comp_info[i];
    blocks +=
        std::uint64_t{component.width_in_blocks} * component.height_in_blocks;
  }
  const std::uint64_t bits = info.progressive_mode != 0 ? 1 : 2;
  return blocks * bits / 8 > file.size();
}

/// True when more scans follow than a picture of this size may have; told from
/// their markers, before one is unpacked. Coded data have none but restarts.
bool has_too_many_scans(const jpeg_decompress_struct& info) {
  if (info.progressive_mode == 0) {
    return false;
  }
  const std::string_view rest = as_text(
      {info.src->next_input_byte,
       info.src->next_input_byte + info.src->bytes_in_buffer});
  const auto limit = static_cast<std::uint64_t>(max_scans(info));
  std::uint64_t scans = 1;
  for (std::size_t at = rest.find('\xff');
       at != std::string_view::npos && at + 1 < rest.size();
       at = rest.find('\xff', at + 1)) {
    scans += rest[at + 1] == '\xda' ? 1 : 0;
    if (rest[at + 1] == '\xd9' || scans > limit) {
      break;
    }
  }
  return scans > limit;
}

/// Adobe's files, the only ones there are, store the amount of paper left
/// white: C, M, Y and K inverted. So RGB is C*K, M*K, Y*K over 255, rounded.
void cmyk_to_rgb(
    const std::uint8_t* cmyk,
    std::size_t width,
    std::uint8_t* rgb) {
  for (std::size_t x = 0; x < width; ++x) {
    const unsigned black = cmyk[4 * x + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      // Pillow rounds the ink's share, black * (255 - value), not this one.
      const unsigned ink = (255U - cmyk[4 * x + c]) * black + 128U;
      rgb[3 * x + c] =
          static_cast<std::uint8_t>(black - ((ink + (ink >> 8U)) >> 8U));
    }
  }
}

bool read_cmyk(Decoder& decoder, const SrgbTransform* transform, Image& image) {
  const auto width = static_cast<std::size_t>(image.width);
  std::vector<std::uint8_t> row(width * 4);
  for (std::size_t y = 0; y < static_cast<std::size_t>(image.height); ++y) {
    if (!read_row(decoder, row.data())) {
      return false;
    }
    std::uint8_t* const rgb = image.rgb.data() + y * width * 3;
    if (transform != nullptr) {
      transform->convert(row.data(), width, rgb);
    } else {
      cmyk_to_rgb(row.data(), width, rgb);
    }
  }
  return true;
}

/// True when the marker at the end is there, where it has to be looked for: at
/// most a little padding lies behind it in files as cameras and servers make
/// them.
bool has_end(Bytes file) {
  constexpr std::size_t kPadding = 4096;
  const std::string_view text = as_text(file);
  return text.substr(text.size() - std::min(text.size(), kPadding))
             .rfind("\xff\xd9") != std::string_view::npos;
}

/// True of the usual samplings, with a sample of chroma for 2x2 pixels at most:
/// libjpeg-turbo before 3.0.3 leaves samples of some others unset when it both
/// scales and cuts.
bool may_scale(const Decoder& decoder) {
  const jpeg_component_info* const components = decoder.info.comp_info;
  const auto has_usual_factors = [](const jpeg_component_info& component) {
    return component.h_samp_factor <= 2 && component.v_samp_factor <= 2;
  };
  return decoder.info.num_components != 4 &&
         components[0].h_samp_factor == decoder.info.max_h_samp_factor &&
         components[0].v_samp_factor == decoder.info.max_v_samp_factor &&
         std::all_of(
             components,
             components + decoder.info.num_components,
             has_usual_factors);
}

/// Reads the rows and columns around `region`, in pixels at the decoder's
/// scale, into `image`. One block more on the left, the right and above: chroma
/// is interpolated, and a decoder that cuts knows no neighbours beyond the cut.
bool read_region(Decoder& decoder, const Region& region, Image& image) {
  const JDIMENSION block = DCTSIZE / decoder.info.scale_denom;
  const JDIMENSION block_width =
      static_cast<JDIMENSION>(decoder.info.max_h_samp_factor) * block;
  const JDIMENSION block_height =
      static_cast<JDIMENSION>(decoder.info.max_v_samp_factor) * block;
  const auto x = static_cast<JDIMENSION>(region.x);
  const auto y = static_cast<JDIMENSION>(region.y);
  const JDIMENSION right = std::min(
      x + static_cast<JDIMENSION>(region.width) + block_width,
      decoder.info.output_width);
  JDIMENSION left = x - std::min(x, block_width);
  JDIMENSION width = right - left;
  const JDIMENSION top =
      (y - std::min(y, block_height)) / block_height * block_height;
  const JDIMENSION bottom = y + static_cast<JDIMENSION>(region.height);
  if (!leave_out(decoder, left, width, top)) {
    return false;
  }
  image = make_image(width, bottom - top);
  image.x = static_cast<std::int32_t>(left);
  image.y = static_cast<std::int32_t>(top);
  return read_rows(decoder, bottom, image.rgb.data(), std::size_t{width} * 3);
}

/// True when bits of a progressive picture never came. The decoder then smooths
/// blocks by their neighbours, and a part would have other pixels at its edges.
bool is_smoothed(const jpeg_decompress_struct& info) {
  if (info.coef_bits == nullptr) {
    return false;
  }
  for (int i = 0; i < info.num_components; ++i) {
    for (const int missing : info.coef_bits[i]) {
      if (missing != 0) {
        return true;
      }
    }
  }
  return false;
}

/// Reads the part around what is wanted, of CMYK and of smoothed pictures the
/// whole, into `image`. `transform`, of ink, may be null.
bool read_pixels(
    Decoder& decoder,
    const Wanted& wanted,
    const SrgbTransform* transform,
    Image& image) {
  const bool cmyk = decoder.info.num_components == 4;
  const std::int32_t denominator = may_scale(decoder) ? wanted.denominator : 1;
  if (!start(
          decoder,
          cmyk ? JCS_CMYK : JCS_RGB,
          static_cast<unsigned>(denominator))) {
    return false;
  }
  if (!cmyk && !is_smoothed(decoder.info)) {
    const Region region = scaled_down(wanted.region, denominator);
    const bool read = read_region(decoder, region, image);
    image.denominator = denominator;
    return read;
  }
  const JDIMENSION width = decoder.info.output_width;
  const JDIMENSION height = decoder.info.output_height;
  image = make_image(width, height);
  image.denominator = denominator;
  return cmyk ? read_cmyk(decoder, transform, image)
              : read_rows(
                    decoder, height, image.rgb.data(), std::size_t{width} * 3);
}

Samples samples_of(const jpeg_decompress_struct& info) {
  switch (info.num_components) {
    case 1:
      return Samples::kGray;
    case 4:
      return Samples::kInkInverted;
    default:
      return Samples::kRgb;
  }
}

/// Frees what libjpeg holds, on every way out.
class Cleanup {
 public:
  explicit Cleanup(Decoder& decoder) : decoder_(decoder) {}

  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;

  ~Cleanup() { jpeg_destroy_decompress(&decoder_.info); }

 private:
  Decoder& decoder_;
};

}  // namespace

Decoded decode_jpeg(
    Bytes file,
    const DecodeOptions& options,
    const ChooseRegion& choose) {
  Decoder decoder{};
  const Cleanup cleanup(decoder);
  decoder.error.fill = options.fill_truncated;
  if (!read_header(decoder, file)) {
    return reject(decoder);
  }
  const JDIMENSION width = decoder.info.image_width;
  const JDIMENSION height = decoder.info.image_height;
  if (auto refused = check_size(width, height, options.limits)) {
    return *refused;
  }
  if (has_too_many_scans(decoder.info)) {
    decoder.error.code = kTooManyScans;
    return reject(decoder);
  }
  if (!options.fill_truncated && is_too_short(decoder.info, file)) {
    return ends_early(decoder.info);
  }
  if (auto refused = check_density(width, height, file)) {
    return *refused;
  }
  const Region whole{
      .width = static_cast<std::int32_t>(width),
      .height = static_cast<std::int32_t>(height)};
  const Wanted chosen =
      choose ? choose(whole.width, whole.height) : Wanted(whole);
  // A file that ends early is read to where it does: only so it is told from a
  // whole one.
  const bool part = options.fill_truncated || has_end(file);
  const Samples samples = samples_of(decoder.info);
  const SrgbTransform* const transform =
      options.color_profiles ? find_transform(embedded_profile(file), samples)
                             : nullptr;
  Image image;
  if (!read_pixels(decoder, part ? chosen : whole, transform, image)) {
    return reject(decoder);
  }
  image.filled = ended_early(decoder);
  if (image.filled && !options.fill_truncated) {
    return ends_early(decoder.info);
  }
  if (transform != nullptr && samples != Samples::kInkInverted) {
    transform->convert(image);
  }
  return image;
}

}  // namespace swavd::loader
