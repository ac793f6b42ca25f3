#include "ops/daemon/confusion.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

namespace swavd::daemon {

namespace {

constexpr std::size_t kMostClasses = 20;
constexpr std::size_t kMostMistakes = 20;

std::string full_text(const ConfusionTable& table) {
  std::size_t wide = 5;
  std::size_t name = 8;  // with its number at least the heading
  for (const std::string& label : table.classes) {
    name = std::max(name, label.size());
  }
  for (const auto& row : table.counts) {
    for (const std::uint64_t count : row) {
      wide = std::max(wide, fmt::format("{}", count).size());
    }
  }
  // Columns by number, so that long names cost one column of text.
  std::string text = fmt::format("{:<{}}", "true \\ answer", name + 5);
  for (std::size_t i = 0; i < table.classes.size(); ++i) {
    text += fmt::format(" {:>{}}", i, wide);
  }
  for (std::size_t i = 0; i < table.classes.size(); ++i) {
    text += fmt::format("\n{:>3}  {:<{}}", i, table.classes[i], name);
    for (const std::uint64_t count : table.counts[i]) {
      text += fmt::format(" {:>{}}", count, wide);
    }
  }
  return text;
}

std::string mistakes_text(const ConfusionTable& table) {
  std::vector<std::tuple<std::uint64_t, std::size_t, std::size_t>> mistakes;
  for (std::size_t i = 0; i < table.counts.size(); ++i) {
    for (std::size_t j = 0; j < table.counts[i].size(); ++j) {
      if (i != j && table.counts[i][j] > 0) {
        mistakes.emplace_back(table.counts[i][j], i, j);
      }
    }
  }
  std::stable_sort(
      mistakes.begin(), mistakes.end(), [](const auto& a, const auto& b) {
        return std::get<0>(a) > std::get<0>(b);
      });
  mistakes.resize(std::min(mistakes.size(), kMostMistakes));
  std::string text = fmt::format(
      "the commonest mistakes of {} classes (all are in the JSON)",
      table.classes.size());
  for (const auto& [count, truth, answer] : mistakes) {
    text += fmt::format(
        "\n{:>6}  {} taken for {}",
        count,
        table.classes[truth],
        table.classes[answer]);
  }
  return text;
}

}  // namespace

ConfusionTable confusion_table(
    const std::vector<std::string>& classes,
    const std::vector<std::int32_t>& truth,
    const std::vector<std::int32_t>& answers) {
  ConfusionTable table{
      classes,
      std::vector<std::vector<std::uint64_t>>(
          classes.size(), std::vector<std::uint64_t>(classes.size()))};
  for (std::size_t i = 0; i < truth.size(); ++i) {
    ++table.counts[static_cast<std::size_t>(truth[i])]
                  [static_cast<std::size_t>(answers[i])];
  }
  return table;
}

std::string to_text(const ConfusionTable& table) {
  return table.classes.size() <= kMostClasses ? full_text(table)
                                              : mistakes_text(table);
}

}  // namespace swavd::daemon
