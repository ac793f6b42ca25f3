#include "ops/daemon/class_names.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace swavd::daemon {

namespace {

Error bad_labels(std::string why) {
  return {ErrorCode::kInvalidArgument, std::move(why)};
}

/// At most three of `labels`, and how many more there are.
std::string some_of(const std::set<std::string>& labels) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> shown;
  for (const std::string& label : labels) {
    if (shown.size() < kShown) {
      shown.push_back(label);
    }
  }
  const std::size_t more = labels.size() - shown.size();
  return fmt::format(
      "{}{}",
      fmt::join(shown, ", "),
      more > 0 ? fmt::format(" and {} more", more) : "");
}

}  // namespace

void ClassNames::add(const std::string& name) {
  if (numbers_.emplace(name, count()).second) {
    names_.push_back(name);
  }
}

Result<ClassNames> ClassNames::of(const ingest::FileSet& files) {
  const std::vector<std::string>& labels = files.labels();
  const auto without = std::find(labels.begin(), labels.end(), "");
  if (without != labels.end()) {
    return bad_labels(fmt::format(
        "{} of the {} files of {} lie in no folder ({} is one): the label of a "
        "file is the first folder of its path",
        std::count(labels.begin(), labels.end(), ""),
        labels.size(),
        files.path(),
        files.names()[static_cast<std::size_t>(without - labels.begin())]));
  }
  const std::set<std::string> sorted(labels.begin(), labels.end());
  if (sorted.size() < 2) {
    return bad_labels(fmt::format(
        "{} has {}: a classifier needs two classes, each a folder of its own",
        files.path(),
        sorted.empty() ? "no files"
                       : fmt::format("one class, {}", *sorted.begin())));
  }
  ClassNames classes;
  for (const std::string& label : sorted) {
    classes.add(label);
  }
  return classes;
}

std::optional<std::int32_t> ClassNames::number(const std::string& label) const {
  const auto found = numbers_.find(label);
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

Result<std::vector<std::int32_t>> ClassNames::numbers(
    const ingest::FileSet& files) const {
  std::vector<std::int32_t> numbers;
  std::set<std::string> unknown;
  for (const std::string& label : files.labels()) {
    const auto found = number(label);
    if (found) {
      numbers.push_back(*found);
    } else {
      unknown.insert(label.empty() ? "(no folder)" : label);
    }
  }
  if (!unknown.empty()) {
    return bad_labels(fmt::format(
        "{} has labels that no image to learn from has: {}",
        files.path(),
        some_of(unknown)));
  }
  if (numbers.empty()) {
    return bad_labels(files.path() + " has no files");
  }
  return numbers;
}

std::vector<std::int32_t> ClassNames::learn(
    const std::vector<std::string>& labels) {
  std::vector<std::int32_t> numbers;
  numbers.reserve(labels.size());
  for (const std::string& label : labels) {
    add(label);
    numbers.push_back(numbers_.at(label));
  }
  return numbers;
}

}  // namespace swavd::daemon
