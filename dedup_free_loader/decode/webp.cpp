#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include "dedup_free_loader/decode/color_profile.h"
#include "dedup_free_loader/decode/decoders.h"

namespace swavd::loader {

namespace {

/// True when the container says it is longer than the file.
bool shorter_than_declared(Bytes file) {
  std::uint64_t declared = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    declared |= static_cast<std::uint64_t>(file[4 + i]) << (8 * i);
  }
  return declared + 8 > file.size();
}

Rejection failed(Bytes file, std::string_view what) {
  if (shorter_than_declared(file)) {
    return {
        RejectReason::kTruncated,
        fmt::format("WebP: {}, and the file is cut short", what)};
  }
  return {RejectReason::kMalformed, fmt::format("WebP: {}", what)};
}

Rejection reject(Bytes file, VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return {RejectReason::kTruncated, "WebP: the data end early"};
    case VP8_STATUS_OUT_OF_MEMORY:
      return {RejectReason::kTooManyPixels, "WebP: no memory for the picture"};
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return {RejectReason::kUnsupported, "WebP: an unsupported feature"};
    case VP8_STATUS_INVALID_PARAM:
    case VP8_STATUS_BITSTREAM_ERROR:
    default:
      return failed(file, "the bitstream is broken");
  }
}

Decoded decode_still(Bytes file, Image image) {
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) {
    return Rejection{RejectReason::kUnsupported, "WebP: library mismatch"};
  }
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = image.rgb.data();
  config.output.u.RGBA.stride = image.width * 3;
  config.output.u.RGBA.size = image.rgb.size();
  const VP8StatusCode code = WebPDecode(file.data(), file.size(), &config);
  if (code != VP8_STATUS_OK) {
    return reject(file, code);
  }
  return image;
}

struct DeleteAnimation {
  void operator()(WebPAnimDecoder* decoder) const {
    WebPAnimDecoderDelete(decoder);
  }
};

/// The first frame, drawn on a canvas of transparent black.
Decoded decode_first_frame(Bytes file, Image image) {
  WebPAnimDecoderOptions options;
  if (WebPAnimDecoderOptionsInit(&options) == 0) {
    return Rejection{RejectReason::kUnsupported, "WebP: library mismatch"};
  }
  options.color_mode = MODE_RGBA;
  const WebPData data = {file.data(), file.size()};
  const std::unique_ptr<WebPAnimDecoder, DeleteAnimation> decoder(
      WebPAnimDecoderNew(&data, &options));
  std::uint8_t* rgba = nullptr;  // owned by the decoder
  int timestamp = 0;
  if (decoder == nullptr ||
      WebPAnimDecoderGetNext(decoder.get(), &rgba, &timestamp) == 0) {
    return failed(file, "the animation's first frame cannot be read");
  }
  WebPAnimInfo canvas;
  if (WebPAnimDecoderGetInfo(decoder.get(), &canvas) == 0 ||
      canvas.canvas_width != static_cast<std::uint32_t>(image.width) ||
      canvas.canvas_height != static_cast<std::uint32_t>(image.height)) {
    return failed(file, "the canvas is not as large as the header says");
  }
  for (std::size_t i = 0; i < image.rgb.size() / 3; ++i) {
    std::memcpy(&image.rgb[3 * i], &rgba[4 * i], 3);
  }
  return image;
}

}  // namespace

Decoded decode_webp(Bytes file, const DecodeOptions& options) {
  WebPBitstreamFeatures features;
  const VP8StatusCode code =
      WebPGetFeatures(file.data(), file.size(), &features);
  if (code != VP8_STATUS_OK) {
    return reject(file, code);
  }
  const auto width = static_cast<std::uint64_t>(features.width);
  const auto height = static_cast<std::uint64_t>(features.height);
  if (auto refused = check_size(width, height, options.limits)) {
    return *refused;
  }
  if (auto refused = check_density(width, height, file)) {
    return *refused;
  }
  Image image = make_image(width, height);
  Decoded decoded = features.has_animation != 0
                        ? decode_first_frame(file, std::move(image))
                        : decode_still(file, std::move(image));
  if (auto* const read = std::get_if<Image>(&decoded);
      read != nullptr && options.color_profiles) {
    if (const auto* transform =
            find_transform(embedded_profile(file), Samples::kRgb)) {
      transform->convert(*read);
    }
  }
  return decoded;
}

}  // namespace swavd::loader
