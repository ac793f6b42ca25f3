#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ops/base/bytes.h"
#include "ops/base/result.h"

namespace swavd::service {

/// The files of the demo web and the names under which it serves them.
/// Immutable once loaded, hence thread-safe.
class DemoCatalog {
 public:
  struct Entry {
    std::string name;       ///< below the folder, or of the tar's member
    std::string hash;       ///< 16 hexadecimal digits of SHA-256 of `name`
    std::string extension;  ///< lower-case letters and digits, "bin" if none
    ByteVector bytes;       ///< of a tar's member
  };

  /// `max_tar_bytes`: see DemoWebOptions. Errors: see start_demo_web.
  [[nodiscard]] static Result<DemoCatalog> load(
      const std::string& path,
      bool pictures_only,
      std::uint64_t max_tar_bytes);

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

  /// The entry called `hash`, or null.
  [[nodiscard]] const Entry* find(std::string_view hash) const;

  /// Its bytes, from memory or disk. Errors: kNotFound, kIo.
  [[nodiscard]] Result<ByteVector> read(const Entry& entry) const;

 private:
  [[nodiscard]] Status add(std::string name, ByteVector bytes);

  std::string folder_;  // empty for a tar
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t> by_hash_;
};

/// What a path of the demo web asks for.
struct DemoPath {
  enum class Kind { kPlain, kRedirect, kSlow };

  Kind kind = Kind::kPlain;
  std::uint32_t host = 0;  ///< the K of "hK"
  std::string file;        ///< "HASH-N.EXT"
  std::string hash;
};

/// Takes "/hK/HASH-N.EXT", "/hK/to/…", "/hK/slow/…" apart; empty for any
/// other text.
[[nodiscard]] std::optional<DemoPath> parse_demo_path(std::string_view path);

/// The URL of `path` on its host.
[[nodiscard]] std::string demo_url(const DemoPath& path, std::uint16_t port);

/// The media type for a file name's extension.
[[nodiscard]] std::string_view media_type(std::string_view extension);

}  // namespace swavd::service
