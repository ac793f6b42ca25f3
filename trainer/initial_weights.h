#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "ops/base/result.h"
#include "state/layouts.h"
#include "state/weight_files.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// How one part of the model fares with somebody's files. Counters of batches
/// seen are not counted: many files have none.
struct PartMatch {
  std::size_t wanted = 0;      ///< tensors of the model's part
  std::size_t found = 0;       ///< of them, those in the files, of any shape
  std::size_t matched = 0;     ///< of them, those of the right shape
  std::size_t extra = 0;       ///< in the files and not in the model
  std::string first_mismatch;  ///< what is wrong with the first; for people
  bool taken = false;          ///< else the part begins at random
};

/// What of the files goes into the model, and what does not.
struct InitReport {
  std::string path;
  state::Layout layout = state::Layout::kHuggingFace;
  std::string prefix;  ///< in front of the trunk's names
  std::size_t files = 0;
  PartMatch trunk;
  PartMatch head;  ///< taken whole or not at all
  /// Taken whole, and with the head only: they lie in its output's space.
  PartMatch prototypes;
  std::size_t classifier = 0;  ///< tensors of one, which are left out
  std::size_t unknown = 0;     ///< tensors left out for want of a meaning
  std::string first_unknown;
  /// Tensors taken that are no F32, by their type.
  std::map<std::string, std::size_t> converted;
};

/// The report for people, a line a part, without line breaks.
[[nodiscard]] std::vector<std::string> report_lines(const InitReport& report);

/// Weights that a run begins with: somebody's files, and which of their tensors
/// is which of the model's. Immutable.
class InitialWeights {
 public:
  /// Compares headers with the model that `options` describe; no weights are
  /// read. Errors: kConfig: no such trunk in the files, or one that does not
  /// match whole, with the first tensor that does not and both shapes; the
  /// errors of `options`.
  [[nodiscard]] static Result<InitialWeights> plan(
      const TrainerOptions& options,
      state::WeightFiles files);

  [[nodiscard]] const InitReport& report() const { return report_; }

  [[nodiscard]] const state::WeightFiles& files() const { return files_; }

  /// Is there a value for this tensor, by its name in a snapshot? The others
  /// keep what they begin with.
  [[nodiscard]] bool has(const std::string& name) const {
    return sources_.contains(name);
  }

  /// The values of a parameter or statistic that `has`, in C order. Errors:
  /// those of `WeightFiles::read_floats`.
  [[nodiscard]] Status read(const std::string& name, std::span<float> into)
      const;

  /// The value of a counter that `has`. Errors: those of
  /// `WeightFiles::read_integer`.
  [[nodiscard]] Result<std::int64_t> read_counter(
      const std::string& name) const;

 private:
  InitialWeights(
      state::WeightFiles files,
      InitReport report,
      std::map<std::string, std::size_t> sources);

  state::WeightFiles files_;
  InitReport report_;
  /// Which of the files' tensors each of the model's comes from.
  std::map<std::string, std::size_t> sources_;
};

}  // namespace swavd::trainer
