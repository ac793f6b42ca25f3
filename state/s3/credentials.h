#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ops/base/clock.h"
#include "ops/base/mutex.h"
#include "ops/base/result.h"
#include "state/s3/signer.h"

namespace swavd::state {

/// Who signs. Never formatted, never logged: of these fields only `origin`
/// may appear in a message.
struct Credentials {
  SigningKey key;
  std::string session_token;                    ///< empty: long-lived keys
  std::optional<std::int64_t> expires_unix_ms;  ///< nullopt: never
  std::string origin;  ///< where they are from, for people

  friend bool operator==(const Credentials& a, const Credentials& b) {
    return a.key.id == b.key.id && a.key.secret == b.key.secret &&
           a.session_token == b.session_token;
  }
};

/// Reads credentials anew from wherever they come from.
using CredentialSource = std::function<Result<Credentials>()>;

/// Keeps what a source gave and asks it again in time. Thread-safe; a caller
/// may wait for another one's reading.
class CredentialCache {
 public:
  CredentialCache(CredentialSource source, std::shared_ptr<const Clock> clock);

  /// Read anew from five minutes before they expire on; while that fails the
  /// old ones serve to their end. Errors: those of the source.
  [[nodiscard]] Result<Credentials> get();

  /// After the store refused `refused`: what another caller has read since, or
  /// else what the source gives now. Errors: those of the source.
  [[nodiscard]] Result<Credentials> renew(const Credentials& refused);

 private:
  [[nodiscard]] Result<Credentials> read() SWAVD_REQUIRES(mutex_);

  const CredentialSource source_;
  const std::shared_ptr<const Clock> clock_;  // shared: see Surroundings
  Mutex mutex_;
  std::optional<Credentials> current_ SWAVD_GUARDED_BY(mutex_);
  std::int64_t next_try_unix_ms_ SWAVD_GUARDED_BY(mutex_) = 0;
};

}  // namespace swavd::state
