#include "state/s3/credentials.h"

#include <utility>

#include "ops/base/log.h"

namespace swavd::state {

namespace {

constexpr std::int64_t kRefreshAheadMs = 5 * 60 * 1000;
constexpr std::int64_t kTryAgainMs = 30 * 1000;

}  // namespace

CredentialCache::CredentialCache(
    CredentialSource source,
    std::shared_ptr<const Clock> clock)
    : source_(std::move(source)),
      clock_(std::move(clock)) {}

Result<Credentials> CredentialCache::read() {
  auto fresh = source_();
  if (fresh.ok()) {
    current_ = fresh.value();
  }
  return fresh;
}

Result<Credentials> CredentialCache::get() {
  const MutexLock lock(mutex_);
  if (!current_) {
    return read();
  }
  const std::int64_t now = clock_->unix_ms();
  const auto expires = current_->expires_unix_ms;
  if (!expires || now < *expires - kRefreshAheadMs ||
      (now < *expires && now < next_try_unix_ms_)) {
    return *current_;
  }
  auto fresh = read();
  if (fresh.ok() || now >= *expires) {
    return fresh;
  }
  next_try_unix_ms_ = now + kTryAgainMs;
  log(LogLevel::kWarning,
      "credentials",
      "the credentials of the object store expire soon and could not be read "
      "anew: " +
          fresh.error().message);
  return *current_;
}

Result<Credentials> CredentialCache::renew(const Credentials& refused) {
  const MutexLock lock(mutex_);
  if (current_ && !(*current_ == refused)) {
    return *current_;
  }
  return read();
}

}  // namespace swavd::state
