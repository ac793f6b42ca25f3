#include <array>

#include "tests/odd_files/parts.h"

namespace swavd::odd_files {

namespace {

std::string base64(Bytes bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i + 2 < bytes.size(); i += 3) {
    const unsigned three =
        bytes[i] * 65536U + bytes[i + 1] * 256U + bytes[i + 2];
    for (const unsigned shift : {18U, 12U, 6U, 0U}) {
      text.push_back(kDigits[three >> shift & 63U]);
    }
  }
  return text;
}

}  // namespace

Files other_files(
    const ByteVector& jpeg,
    const ByteVector& png,
    const ByteVector& gif) {
  Files files;
  const auto add =
      [&](const char* name, const char* verdict, ByteVector bytes) {
        files.push_back(
            {std::string("other/") + name,
             Kind::kDamaged,
             verdict,
             std::move(bytes)});
      };
  const auto text = [](std::string_view words) {
    return Writer().text(words).done();
  };
  add("nothing", "empty", {});
  add("one-zero", "unknown_format", {0});
  add("zeros", "unknown_format", ByteVector(1000, 0));
  add("ones", "unknown_format", ByteVector(1000, 0xff));
  add("html-error-page",
      "unknown_format",
      text("<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>"
           "<body><h1>Not Found</h1></body></html>\n"));
  add("html-behind-a-byte-order-mark",
      "unknown_format",
      text("\xef\xbb\xbf<html>moved</html>"));
  add("json-error", "unknown_format", text("{\"error\": \"AccessDenied\"}"));
  add("xml-error",
      "unknown_format",
      text("<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>"));
  add("svg",
      "unknown_format",
      text("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\"/>"));
  add("pdf", "unknown_format", text("%PDF-1.7\n1 0 obj\n"));
  add("program", "unknown_format", text("MZ\x90"));
  add("wave-sound", "unknown_format", text("RIFF\x24\x08\x10\x10WAVEfmt "));
  add("redirect-headers-before-a-jpeg",
      "unknown_format",
      Writer()
          .text("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n")
          .bytes(jpeg)
          .done());
  add("data-url",
      "unknown_format",
      text("data:image/png;base64," + base64(png)));
  add("gzip-around-a-png",
      "unknown_format",
      Writer()
          .text("\x1f\x8b\x08")
          .fill(7, 0)
          .bytes(Bytes(deflated(png)).subspan(2))
          .done());
  add("jpeg-of-a-chunked-transfer",
      "unknown_format",
      Writer().text("1f40\r\n").bytes(jpeg).text("\r\n0\r\n\r\n").done());
  add("gif-and-zip", "image", Writer().bytes(gif).text("PK\x03\x04").done());
  add("jpeg-and-html",
      "image",
      Writer().bytes(jpeg).text("<html><script>1</script></html>").done());
  add("png-and-jpeg", "image", Writer().bytes(png).bytes(jpeg).done());
  add("gif-that-is-a-script", "", text("GIF89a/*;*/=1;alert(1)"));
  add("jpeg-start-and-text", "", text("\xff\xd8\xff<html>not found</html>"));
  add("png-start-and-text", "", text("\x89PNG\r\n\x1a\n<html></html>"));
  add("webp-start-and-text", "", text("RIFF....WEBP<html></html>"));
  add("jpeg-start-and-png",
      "",
      Writer().text("\xff\xd8\xff").bytes(png).done());
  return files;
}

}  // namespace swavd::odd_files
