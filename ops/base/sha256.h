#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "ops/base/bytes.h"

namespace swavd {

/// A SHA-256 digest, in the order the standard prints it.
using Digest = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4) over bytes given piece by piece. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  ~Sha256();

  void update(Bytes bytes);

  /// The digest of all bytes given; the object is spent afterwards.
  [[nodiscard]] Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// Digest of `bytes` in one call.
[[nodiscard]] Digest sha256(Bytes bytes);

/// The same, as 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256_hex(Bytes bytes);

/// HMAC-SHA-256 (RFC 2104) of `message`.
[[nodiscard]] Digest hmac_sha256(Bytes key, Bytes message);

}  // namespace swavd
