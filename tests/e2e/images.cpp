#include "tests/e2e/images.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <vector>

#include <fmt/format.h>
#include <jpeglib.h>
#include <spng.h>

namespace swavd::e2e {

namespace {

constexpr int kRgb = 3;

/// Eight bits a sample.
std::vector<unsigned char> noise(std::uint64_t seed, std::size_t samples) {
  constexpr std::uint64_t kByte = 256;
  std::mt19937_64 numbers(seed);
  std::vector<unsigned char> bytes(samples);
  for (unsigned char& byte : bytes) {
    byte = static_cast<unsigned char>(numbers() % kByte);
  }
  return bytes;
}

std::size_t samples_of(int size) {
  const auto side = static_cast<std::size_t>(size);
  return kRgb * side * side;
}

/// 8-bit samples as a PNG file.
std::string encode_png(
    int width,
    int height,
    spng_color_type color,
    const std::vector<unsigned char>& samples) {
  spng_ctx* context = spng_ctx_new(SPNG_CTX_ENCODER);
  spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1);
  spng_set_option(context, SPNG_FILTER_CHOICE, SPNG_DISABLE_FILTERING);
  spng_set_option(context, SPNG_IMG_COMPRESSION_LEVEL, 1);
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(width);
  header.height = static_cast<std::uint32_t>(height);
  header.color_type = static_cast<std::uint8_t>(color);
  header.bit_depth = 8;
  spng_set_ihdr(context, &header);
  int error = spng_encode_image(
      context,
      samples.data(),
      samples.size(),
      SPNG_FMT_PNG,
      SPNG_ENCODE_FINALIZE);
  std::size_t bytes = 0;
  void* memory =
      error == 0 ? spng_get_png_buffer(context, &bytes, &error) : nullptr;
  if (memory == nullptr) {
    throw std::runtime_error(spng_strerror(error));
  }
  std::string file(static_cast<const char*>(memory), bytes);
  std::free(memory);
  spng_ctx_free(context);
  return file;
}

/// The `number`-th file that is no image.
std::string bad_file(std::uint64_t number, std::uint64_t seed) {
  constexpr std::size_t kJunkBytes = 100;
  if (number == 0) {
    return "";
  }
  return number % 2 == 0 ? cut_jpeg(seed) : junk(seed, kJunkBytes);
}

}  // namespace

std::string noise_png(std::uint64_t seed, int size) {
  return encode_png(
      size, size, SPNG_COLOR_TYPE_TRUECOLOR, noise(seed, samples_of(size)));
}

std::string coloured_png(std::uint32_t colour, std::uint64_t seed, int size) {
  constexpr unsigned char kNoise = 4;  // divides it
  auto samples = noise(seed, samples_of(size));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const std::size_t shift = 8 * (kRgb - 1 - i % kRgb);
    const auto level = static_cast<unsigned char>(colour >> shift);
    samples[i] = static_cast<unsigned char>(level / 2 + samples[i] / kNoise);
  }
  return encode_png(size, size, SPNG_COLOR_TYPE_TRUECOLOR, samples);
}

std::string plain_png(std::uint64_t seed, int size) {
  const auto color = noise(seed, kRgb);
  std::vector<unsigned char> samples;
  while (samples.size() < samples_of(size)) {
    samples.insert(samples.end(), color.begin(), color.end());
  }
  return encode_png(size, size, SPNG_COLOR_TYPE_TRUECOLOR, samples);
}

std::string gray_png(int width, int height) {
  constexpr unsigned char kGray = 128;
  const auto samples =
      static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  return encode_png(
      width,
      height,
      SPNG_COLOR_TYPE_GRAYSCALE,
      std::vector<unsigned char>(samples, kGray));
}

std::string noise_jpeg(std::uint64_t seed, int size) {
  auto samples = noise(seed, samples_of(size));
  jpeg_error_mgr errors{};
  jpeg_compress_struct jpeg{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* memory = nullptr;
  unsigned long bytes = 0;
  jpeg_mem_dest(&jpeg, &memory, &bytes);
  jpeg.image_width = static_cast<JDIMENSION>(size);
  jpeg.image_height = static_cast<JDIMENSION>(size);
  jpeg.input_components = kRgb;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  const std::size_t row_bytes = samples.size() / jpeg.image_height;
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW row = samples.data() + jpeg.next_scanline * row_bytes;
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  std::string file(reinterpret_cast<const char*>(memory), bytes);
  jpeg_destroy_compress(&jpeg);
  std::free(memory);
  return file;
}

std::string cut_jpeg(std::uint64_t seed) {
  constexpr int kSize = 32;  // most of the file is then the image itself
  const std::string whole = noise_jpeg(seed, kSize);
  return whole.substr(0, 2 * whole.size() / 3);
}

std::string junk(std::uint64_t seed, std::size_t bytes) {
  const auto tail = noise(seed, bytes);
  std::string text(tail.begin(), tail.end());
  return text.replace(0, 4, "junk");
}

ImageCounts fill_folder(
    const std::string& folder,
    std::uint64_t files,
    std::uint64_t bad_every,
    std::uint64_t first_seed) {
  std::filesystem::create_directories(folder);
  ImageCounts counts;
  for (std::uint64_t i = 0; i < files; ++i) {
    const std::uint64_t seed = first_seed + i;
    const bool bad = bad_every > 0 && i % bad_every == bad_every / 2;
    const bool png = i % 2 == 0;
    const std::string bytes = bad   ? bad_file(counts.bad, seed)
                              : png ? noise_png(seed)
                                    : noise_jpeg(seed);
    std::ofstream(
        fmt::format("{}/{:06}.{}", folder, seed, png ? "png" : "jpg"),
        std::ios::binary)
        << bytes;
    ++(bad ? counts.bad : counts.good);
  }
  return counts;
}

}  // namespace swavd::e2e
