#pragma once

#include <exception>
#include <new>
#include <string>
#include <string_view>

#include <c10/util/Exception.h>

#include "ops/base/result.h"

namespace swavd::trainer {

/// What an exception of LibTorch or of a device means here: kExhausted for
/// memory, else kInternal. Its stack trace is left out of the message.
[[nodiscard]] inline Error torch_error(std::string text) {
  const bool memory = text.find("allocate memory") != std::string::npos ||
                      text.find("out of memory") != std::string::npos;
  return {
      memory ? ErrorCode::kExhausted : ErrorCode::kInternal, std::move(text)};
}

/// The result of `body()`; what it throws becomes an Error in the context of
/// `where`.
template <typename T, typename Body>
[[nodiscard]] Result<T> catch_torch(std::string_view where, const Body& body) {
  try {
    return body();
  } catch (const c10::Error& error) {
    return torch_error(error.what_without_backtrace()).with_context(where);
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kExhausted, "no memory left"}.with_context(where);
  } catch (const std::exception& error) {
    return torch_error(error.what()).with_context(where);
  }
}

}  // namespace swavd::trainer
