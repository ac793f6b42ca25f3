#include <cstdlib>
#include <memory>

#include <fmt/format.h>
#include <spng.h>

#include "dedup_free_loader/image.h"

namespace swavd::loader {

namespace {

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

}  // namespace

Result<ByteVector> encode_png(const Image& image) {
  const std::size_t expected = static_cast<std::size_t>(image.width) *
                               static_cast<std::size_t>(image.height) * 3;
  if (image.width < 1 || image.height < 1 || image.rgb.size() != expected) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "a {}x{} picture needs {} bytes, not {}",
            image.width,
            image.height,
            expected,
            image.rgb.size())};
  }
  const std::unique_ptr<spng_ctx, FreeContext> context(
      spng_ctx_new(SPNG_CTX_ENCODER));
  if (!context) {
    return Error{ErrorCode::kExhausted, "no memory for a PNG encoder"};
  }
  spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(image.width);
  header.height = static_cast<std::uint32_t>(image.height);
  header.bit_depth = 8;
  header.color_type = SPNG_COLOR_TYPE_TRUECOLOR;
  int status = spng_set_ihdr(context.get(), &header);
  if (status == 0) {
    status = spng_encode_image(
        context.get(),
        image.rgb.data(),
        image.rgb.size(),
        SPNG_FMT_PNG,
        SPNG_ENCODE_FINALIZE);
  }
  std::size_t bytes = 0;
  const std::unique_ptr<void, FreeMemory> png(
      status == 0 ? spng_get_png_buffer(context.get(), &bytes, &status)
                  : nullptr);
  if (!png) {
    return Error{
        ErrorCode::kExhausted,
        fmt::format("encode PNG: {}", spng_strerror(status))};
  }
  const auto* begin = static_cast<const std::uint8_t*>(png.get());
  return ByteVector(begin, begin + bytes);
}

}  // namespace swavd::loader
