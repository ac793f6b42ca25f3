#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace swavd::daemon {

/// How often each class was taken for each.
struct ConfusionTable {
  std::vector<std::string> classes;
  /// [true class][answer]
  std::vector<std::vector<std::uint64_t>> counts;
};

/// `truth` and `answers`: [n], numbers of `classes`.
[[nodiscard]] ConfusionTable confusion_table(
    const std::vector<std::string>& classes,
    const std::vector<std::int32_t>& truth,
    const std::vector<std::int32_t>& answers);

/// For people: the whole table of up to 20 classes, of more the 20 commonest
/// mistakes. Lines without a final line break.
[[nodiscard]] std::string to_text(const ConfusionTable& table);

}  // namespace swavd::daemon
