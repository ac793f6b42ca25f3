#include "state/layouts/name_pattern.h"

#include <charconv>
#include <cstddef>

#include "ops/base/check.h"

namespace swavd::state {

namespace {

struct Mark {
  bool stage = false;
  unsigned plus = 0;
};

/// Takes the mark off the front of a pattern that begins with one.
Mark take_mark(std::string_view& pattern) {
  const std::size_t end = pattern.find('}');
  SWAVD_CHECK(end == 2 || end == 4);
  const Mark mark{
      pattern[1] == 's',
      end == 4 ? static_cast<unsigned>(pattern[3] - '0') : 0U};
  pattern.remove_prefix(end + 1);
  return mark;
}

/// Takes a number off the front; one written with zeros in front is none, as
/// `fill` would not give it back.
std::optional<unsigned> take_number(std::string_view& text) {
  unsigned number = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), number);
  const auto digits = static_cast<std::size_t>(parsed.ptr - text.data());
  if (parsed.ec != std::errc() || (digits > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  text.remove_prefix(digits);
  return number;
}

}  // namespace

std::string fill(std::string_view pattern, BlockPlace place) {
  std::string text;
  while (!pattern.empty()) {
    if (pattern.front() != '{') {
      text += pattern.front();
      pattern.remove_prefix(1);
      continue;
    }
    const Mark mark = take_mark(pattern);
    text +=
        std::to_string((mark.stage ? place.stage : place.block) + mark.plus);
  }
  return text;
}

std::optional<BlockMatch> match(
    std::string_view pattern,
    std::string_view name) {
  std::optional<unsigned> stage;
  std::optional<unsigned> block;
  while (!pattern.empty()) {
    if (pattern.front() != '{') {
      if (!name.starts_with(pattern.front())) {
        return std::nullopt;
      }
      pattern.remove_prefix(1);
      name.remove_prefix(1);
      continue;
    }
    const Mark mark = take_mark(pattern);
    const auto number = take_number(name);
    if (!number || *number < mark.plus) {
      return std::nullopt;
    }
    auto& known = mark.stage ? stage : block;
    if (known && *known != *number - mark.plus) {
      return std::nullopt;
    }
    known = *number - mark.plus;
  }
  SWAVD_CHECK(stage && block);
  return BlockMatch{{*stage, *block}, name};
}

}  // namespace swavd::state
