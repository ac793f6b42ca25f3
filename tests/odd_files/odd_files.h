#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ops/base/bytes.h"

namespace swavd::odd_files {

/// What a file was made to be.
enum class Kind {
  kGood,     ///< as its format wants it: a picture of 1 to 64 pixels a side
  kDamaged,  ///< a good one broken as transfers, servers and editors break it
  kBomb,     ///< made to cost a decoder far more than its size says
};

struct OddFile {
  std::string name;  ///< says what it is: "jpeg/progressive-scan-bomb"
  Kind kind = Kind::kGood;
  /// What `decode_image` has to make of it with the default limits: "image", a
  /// word of `to_string(RejectReason)`, or nothing where either may be.
  std::string verdict;
  ByteVector bytes;
};

/// Image files of every mode that the decoders know, and what the web makes of
/// such files, sorted by name; each name is there once. A function of `seed`
/// alone, which moves pixels and random damage, not the names. No file has more
/// than 8 MB. Aborts when an encoder fails.
[[nodiscard]] std::vector<OddFile> make_odd_files(std::uint64_t seed = 1);

}  // namespace swavd::odd_files
