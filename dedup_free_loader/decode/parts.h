#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "dedup_free_loader/image.h"
#include "ops/base/bytes.h"

namespace swavd::loader {

/// A segment of a JPEG file or a chunk of a PNG or WebP file. Points into it.
struct FilePart {
  /// The four letters of a chunk, or the second byte of a segment's marker.
  std::string_view kind;
  Bytes data;  ///< shorter than it says where the file ends early
};

/// Steps through the parts of a JPEG (those before its first scan), PNG or WebP
/// file; there are none in any other.
class FileParts {
 public:
  /// `file` must outlive this.
  explicit FileParts(Bytes file);

  /// nullopt at the end, and where the file is broken.
  [[nodiscard]] std::optional<FilePart> next();

 private:
  enum class Format { kOther, kJpeg, kPng, kWebp };

  std::optional<FilePart> next_segment();
  std::optional<FilePart> next_chunk();

  Bytes file_;
  Format format_ = Format::kOther;
  std::size_t at_ = 0;
};

/// A number of `bytes` bytes of the file, at most four, the highest first;
/// nullopt when it is not all inside.
[[nodiscard]] std::optional<std::uint32_t>
big_endian(Bytes file, std::size_t at, std::size_t bytes);

/// Likewise, the lowest first.
[[nodiscard]] std::optional<std::uint32_t>
little_endian(Bytes file, std::size_t at, std::size_t bytes);

/// The size in a JPEG file's first frame header, found by stepping over the
/// segments before it (ITU-T T.81, B.2); nullopt when there is none where it
/// should be, or one of no pixels. A guess, made without a decoder: what a
/// decoder makes of the file may be something else.
[[nodiscard]] std::optional<PictureSize> guess_jpeg_size(Bytes file);

}  // namespace swavd::loader
