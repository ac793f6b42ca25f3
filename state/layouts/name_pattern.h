#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace swavd::state {

/// Where a block stands in a trunk; both are counted from 0.
struct BlockPlace {
  unsigned stage = 0;
  unsigned block = 0;

  bool operator==(const BlockPlace&) const = default;
};

// A pattern is the text in front of a block's names with marks where numbers
// stand: {s} the stage, {b} the block, {s+1}, {b+1} and {s+2} those plus so
// many. The same mark may stand there twice. It ends with a dot.

/// The text for one block.
[[nodiscard]] std::string fill(std::string_view pattern, BlockPlace place);

struct BlockMatch {
  BlockPlace place;
  std::string_view rest;  ///< what follows in the name

  bool operator==(const BlockMatch&) const = default;
};

/// Undoes `fill`; nullopt when `name` does not begin with such a text, for
/// example because the stage stands there twice with other numbers.
[[nodiscard]] std::optional<BlockMatch> match(
    std::string_view pattern,
    std::string_view name);

}  // namespace swavd::state
