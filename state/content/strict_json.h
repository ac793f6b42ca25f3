#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "ops/base/result.h"

namespace swavd::state {

/// Parses JSON from a stranger: invalid text, an object with a key twice and
/// nesting deeper than `max_depth` are refused, so that nothing a later
/// reader could understand differently gets through. Errors: kCorruption.
template <typename Json>
[[nodiscard]] Result<Json> parse_strict_json(
    std::string_view text,
    std::size_t max_depth) {
  using Event = typename Json::parse_event_t;
  std::vector<std::set<std::string>> keys;
  std::string repeated;
  bool too_deep = false;
  const auto watch = [&](int depth, Event event, Json& parsed) {
    if (static_cast<std::size_t>(depth) > max_depth) {
      too_deep = true;
      return false;
    }
    if (event == Event::object_start) {
      keys.emplace_back();
    } else if (event == Event::object_end) {
      keys.pop_back();
    } else if (event == Event::key) {
      auto name = parsed.template get<std::string>();
      if (!keys.back().insert(name).second) {
        repeated = std::move(name);
      }
    }
    return true;
  };
  Json json =
      Json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  if (too_deep) {
    return Error{ErrorCode::kCorruption, "JSON is nested too deeply"};
  }
  if (!repeated.empty()) {
    return Error{
        ErrorCode::kCorruption, "JSON has the key \"" + repeated + "\" twice"};
  }
  if (json.is_discarded()) {
    return Error{ErrorCode::kCorruption, "text is not valid JSON"};
  }
  return json;
}

}  // namespace swavd::state
