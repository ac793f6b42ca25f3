#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "ops/base/check.h"

namespace swavd {

/// Why an operation failed. The code decides what a caller does, and with
/// which code a program exits (`exit_code`); the message is for people.
enum class ErrorCode {
  kInvalidArgument,  ///< the caller's or the user's fault; do not retry
  kConfig,           ///< the configuration is wrong; a restart will not help
  kNotFound,         ///< the named thing is absent
  kUnavailable,      ///< a remote service or a lock is not to be had now
  kIo,               ///< the local disk or another device failed
  kCorruption,       ///< stored bytes fail their checksum; do not retry
  kExhausted,        ///< disk, memory or quota: shed load, then retry
  kFenced,           ///< another owner has this run; stop and stay stopped
  kCancelled,        ///< shutdown was requested
  kRestart,          ///< stop and start me again (drain forced, peer lost)
  kInternal,         ///< a bug of ours, or an error of unknown outcome
};

/// Lower-case word for a code, as used in logs and metric labels.
[[nodiscard]] std::string_view to_string(ErrorCode code);

/// The process exit status for a code: 64 usage, 69 unavailable, 74 I/O and
/// corruption, 75 restart, 76 fenced, 78 configuration, else 1 (sysexits.h).
[[nodiscard]] int exit_code(ErrorCode code);

/// An error code with text: what was attempted, on what, and why it failed.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  /// The same error with `where` put in front: "where: message".
  [[nodiscard]] Error with_context(std::string_view where) const {
    return {code, std::string(where) + ": " + message};
  }
};

/// A value or an Error. Reading the value of a failed result aborts: check
/// `ok()` first. Stands in for std::expected, which GCC 12 has not in C++20.
template <typename T>
class [[nodiscard]] Result {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): `return value;` is the point
  Result(T value) : state_(std::move(value)) {}

  // NOLINTNEXTLINE(google-explicit-constructor): `return Error{...};` likewise
  Result(Error error) : state_(std::move(error)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }

  [[nodiscard]] const T& value() const& {
    SWAVD_CHECK(ok());
    return *std::get_if<0>(&state_);
  }

  [[nodiscard]] T& value() & {
    SWAVD_CHECK(ok());
    return *std::get_if<0>(&state_);
  }

  // By value: `for (auto& x : f().value())` must not dangle.
  [[nodiscard]] T value() && {
    SWAVD_CHECK(ok());
    return std::move(*std::get_if<0>(&state_));
  }

  [[nodiscard]] const Error& error() const {
    SWAVD_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

/// Result of an operation that yields nothing.
using Status = Result<std::monostate>;

/// The successful Status.
inline Status ok_status() {
  return std::monostate{};
}

}  // namespace swavd

/// Returns the error of a Status (or Result) expression from the enclosing
/// function; continues when it is ok.
#define SWAVD_RETURN_IF_ERROR(expression)                         \
  do {                                                            \
    if (auto swavd_status_ = (expression); !swavd_status_.ok()) { \
      return swavd_status_.error();                               \
    }                                                             \
  } while (false)
