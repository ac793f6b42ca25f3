#include "ingest/crawl/image_signature.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace swavd::ingest {

namespace {

using std::string_view_literals::operator""sv;

constexpr std::array kSignatures = {
    "\xff\xd8\xff"sv,       // JPEG
    "\x89PNG\r\n\x1a\n"sv,  // PNG
    "GIF87a"sv,
    "GIF89a"sv,
    "BM"sv,                        // BMP
    "II*\0"sv,                     // TIFF, little-endian
    "MM\0*"sv,                     // TIFF, big-endian
    "\0\0\1\0"sv,                  // ICO
    "\xff\x0a"sv,                  // JPEG XL, bare
    "\0\0\0\x0cJXL \r\n\x87\n"sv,  // JPEG XL, boxed
    "\0\0\0\x0cjP  \r\n\x87\n"sv,  // JPEG 2000
};

// Brands after "ftyp" of the ISO base media format that are still pictures.
constexpr std::array kPictureBrands =
    {"avif"sv, "avis"sv, "heic"sv, "heix"sv, "mif1"sv, "msf1"sv};

}  // namespace

bool looks_like_image(Bytes front) {
  const std::string_view text = as_text(front);
  const auto starts = [text](std::string_view s) {
    return text.starts_with(s);
  };
  if (std::any_of(kSignatures.begin(), kSignatures.end(), starts)) {
    return true;
  }
  if (text.size() < 12) {
    return false;
  }
  if (text.starts_with("RIFF") && text.substr(8, 4) == "WEBP") {
    return true;
  }
  return text.substr(4, 4) == "ftyp" &&
         std::find(
             kPictureBrands.begin(), kPictureBrands.end(), text.substr(8, 4)) !=
             kPictureBrands.end();
}

bool names_image(std::string_view content_type) {
  constexpr std::string_view kPrefix = "image/";
  return content_type.size() > kPrefix.size() &&
         std::equal(
             kPrefix.begin(),
             kPrefix.end(),
             content_type.begin(),
             [](char want, char have) {
               return want == std::tolower(static_cast<unsigned char>(have));
             });
}

}  // namespace swavd::ingest
