#include "dedup_free_loader/decode/parts.h"

#include <algorithm>
#include <cstdint>

namespace swavd::loader {

namespace {

/// The bytes from `at` on, `length` of them or as many as there are.
Bytes part(Bytes file, std::size_t at, std::size_t length) {
  const Bytes rest = file.subspan(std::min(at, file.size()));
  return rest.first(std::min(length, rest.size()));
}

bool is_inside(Bytes file, std::size_t at, std::size_t bytes) {
  return at <= file.size() && bytes <= file.size() - at;
}

}  // namespace

std::optional<std::uint32_t>
big_endian(Bytes file, std::size_t at, std::size_t bytes) {
  if (!is_inside(file, at, bytes)) {
    return std::nullopt;
  }
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    value = value << 8U | file[at + i];
  }
  return value;
}

std::optional<std::uint32_t>
little_endian(Bytes file, std::size_t at, std::size_t bytes) {
  if (!is_inside(file, at, bytes)) {
    return std::nullopt;
  }
  std::uint32_t value = 0;
  for (std::size_t i = bytes; i > 0; --i) {
    value = value << 8U | file[at + i - 1];
  }
  return value;
}

FileParts::FileParts(Bytes file) : file_(file) {
  constexpr std::size_t kStartOfImage = 2;
  constexpr std::size_t kPngSignature = 8;
  constexpr std::size_t kRiffHeader = 12;
  const std::string_view format = sniff_format(file);
  if (format == "jpeg") {
    format_ = Format::kJpeg;
    at_ = kStartOfImage;
  } else if (format == "png") {
    format_ = Format::kPng;
    at_ = kPngSignature;
  } else if (format == "webp") {
    format_ = Format::kWebp;
    at_ = kRiffHeader;
  }
}

std::optional<FilePart> FileParts::next() {
  switch (format_) {
    case Format::kJpeg:
      return next_segment();
    case Format::kPng:
    case Format::kWebp:
      return next_chunk();
    case Format::kOther:
      break;
  }
  return std::nullopt;
}

std::optional<FilePart> FileParts::next_segment() {
  constexpr std::uint8_t kFill = 0xFF;
  // Those from RST0 to EOI, and TEM, stand alone; SOS is followed by data.
  constexpr std::uint8_t kFirstWithoutLength = 0xD0;
  constexpr std::uint8_t kStartOfScan = 0xDA;
  constexpr std::uint8_t kTemporary = 0x01;
  constexpr std::size_t kLength = 2;  // counts itself
  if (big_endian(file_, at_, 1) != kFill) {
    return std::nullopt;
  }
  while (big_endian(file_, at_, 1) == kFill) {
    ++at_;  // markers may be padded
  }
  const auto marker = big_endian(file_, at_, 1);
  const auto length = big_endian(file_, at_ + 1, kLength);
  if (!marker || !length || *length < kLength || *marker == 0 ||
      *marker == kTemporary ||
      (*marker >= kFirstWithoutLength && *marker <= kStartOfScan)) {
    return std::nullopt;
  }
  const FilePart found{
      as_text(file_.subspan(at_, 1)),
      part(file_, at_ + 1 + kLength, *length - kLength)};
  at_ += 1 + *length;
  return found;
}

std::optional<FilePart> FileParts::next_chunk() {
  constexpr std::size_t kNumber = 4;
  constexpr std::size_t kHeader = 8;
  constexpr std::size_t kChecksum = 4;
  const bool is_png = format_ == Format::kPng;
  // A PNG has the length before the letters, a WebP behind them.
  const auto length = is_png ? big_endian(file_, at_, kNumber)
                             : little_endian(file_, at_ + kNumber, kNumber);
  if (!length || !is_inside(file_, at_, kHeader)) {
    return std::nullopt;
  }
  const FilePart found{
      as_text(file_.subspan(is_png ? at_ + kNumber : at_, kNumber)),
      part(file_, at_ + kHeader, *length)};
  at_ += kHeader + std::size_t{*length} + (is_png ? kChecksum : *length % 2);
  return found;
}

std::optional<PictureSize> guess_jpeg_size(Bytes file) {
  constexpr std::string_view kFrames = "\xC0\xC1\xC2";  // up to progressive
  // Of a frame header, behind the precision.
  constexpr std::size_t kHeight = 1;
  constexpr std::size_t kWidth = 3;
  if (sniff_format(file) != "jpeg") {
    return std::nullopt;
  }
  FileParts parts(file);
  while (const auto part = parts.next()) {
    if (kFrames.find(part->kind) == std::string_view::npos) {
      continue;
    }
    const auto height = big_endian(part->data, kHeight, 2).value_or(0);
    const auto width = big_endian(part->data, kWidth, 2).value_or(0);
    if (width == 0 || height == 0) {
      return std::nullopt;
    }
    return PictureSize{
        static_cast<std::int32_t>(width), static_cast<std::int32_t>(height)};
  }
  return std::nullopt;
}

}  // namespace swavd::loader
