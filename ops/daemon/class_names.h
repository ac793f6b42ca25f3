#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ingest/file_set.h"
#include "ops/base/result.h"

namespace swavd::daemon {

/// The classes of a labelled PATH: the first folders of its files' names,
/// numbered from 0 in bytewise order.
class ClassNames {
 public:
  /// Errors: kInvalidArgument: a file that lies in no folder, fewer than two
  /// classes.
  [[nodiscard]] static Result<ClassNames> of(const ingest::FileSet& files);

  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

  [[nodiscard]] std::int32_t count() const {
    return static_cast<std::int32_t>(names_.size());
  }

  /// Nullopt: no such class.
  [[nodiscard]] std::optional<std::int32_t> number(
      const std::string& label) const;

  /// The class of each file. Errors: kInvalidArgument naming the labels that
  /// are no class here.
  [[nodiscard]] Result<std::vector<std::int32_t>> numbers(
      const ingest::FileSet& files) const;

  /// Numbers of labels; those that are no class get numbers of their own, from
  /// `count` on, which no classifier answers, and become classes.
  [[nodiscard]] std::vector<std::int32_t> learn(
      const std::vector<std::string>& labels);

 private:
  void add(const std::string& name);

  std::vector<std::string> names_;
  std::map<std::string, std::int32_t> numbers_;
};

}  // namespace swavd::daemon
