#pragma once

namespace swavd {

/// Prints the failed condition with its place to stderr and aborts.
[[noreturn]] void
check_failed(const char* condition, const char* file, int line);

}  // namespace swavd

/// Aborts when `condition` is false. For what only a bug can cause; whatever
/// can happen in production returns a Result instead.
#define SWAVD_CHECK(condition)                               \
  do {                                                       \
    if (!(condition)) {                                      \
      ::swavd::check_failed(#condition, __FILE__, __LINE__); \
    }                                                        \
  } while (false)
