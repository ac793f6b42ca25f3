#include "ops/base/result.h"

namespace swavd {

namespace {

struct CodeRow {
  std::string_view word;
  int exit;
};

/// The one table from codes to words and exit statuses.
CodeRow row_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return {"invalid_argument", 64};
    case ErrorCode::kConfig:
      return {"config", 78};
    case ErrorCode::kNotFound:
      return {"not_found", 1};
    case ErrorCode::kUnavailable:
      return {"unavailable", 69};
    case ErrorCode::kIo:
      return {"io", 74};
    case ErrorCode::kCorruption:
      return {"corruption", 74};
    case ErrorCode::kExhausted:
      return {"exhausted", 74};
    case ErrorCode::kFenced:
      return {"fenced", 76};
    case ErrorCode::kCancelled:
      return {"cancelled", 1};
    case ErrorCode::kRestart:
      return {"restart", 75};
    case ErrorCode::kInternal:
      break;
  }
  return {"internal", 1};
}

}  // namespace

std::string_view to_string(ErrorCode code) {
  return row_of(code).word;
}

int exit_code(ErrorCode code) {
  return row_of(code).exit;
}

}  // namespace swavd
