#include "ops/base/sha256.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "ops/base/check.h"

namespace swavd {

struct Sha256::Context {
  Context() : raw(EVP_MD_CTX_new()) {
    SWAVD_CHECK(raw != nullptr);
    SWAVD_CHECK(EVP_DigestInit_ex(raw, EVP_sha256(), nullptr) == 1);
  }

  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  ~Context() { EVP_MD_CTX_free(raw); }

  EVP_MD_CTX* raw;
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}

Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(Bytes bytes) {
  SWAVD_CHECK(EVP_DigestUpdate(context_->raw, bytes.data(), bytes.size()) == 1);
}

Digest Sha256::finish() {
  Digest digest{};
  SWAVD_CHECK(EVP_DigestFinal_ex(context_->raw, digest.data(), nullptr) == 1);
  return digest;
}

Digest sha256(Bytes bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string sha256_hex(Bytes bytes) {
  return to_hex(sha256(bytes));
}

Digest hmac_sha256(Bytes key, Bytes message) {
  Digest digest{};
  SWAVD_CHECK(
      HMAC(
          EVP_sha256(),
          key.data(),
          static_cast<int>(key.size()),
          message.data(),
          message.size(),
          digest.data(),
          nullptr) != nullptr);
  return digest;
}

}  // namespace swavd
