#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ingest/file_set.h"
#include "ops/base/result.h"
#include "ops/daemon/class_names.h"
#include "ops/daemon/evaluate_classifier.h"

namespace swavd::daemon {

/// The images of an evaluation, listed and checked.
struct LabelledImages {
  ingest::FileSet train;
  ingest::FileSet test;
  ClassNames classes;
  std::vector<std::size_t> places;  ///< of `train`, to learn from
  std::uint64_t least_per_class = 0;
  std::uint64_t most_per_class = 0;
};

/// Errors: those of the paths; kInvalidArgument as `eval_classifier`.
[[nodiscard]] Result<LabelledImages> list_images(const ClassifierQuery& query);

}  // namespace swavd::daemon
