#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ops/base/result.h"
#include "ops/daemon/evaluate.h"
#include "ops/service/config.h"
#include "trainer/evaluation.h"
#include "trainer/trainer.h"

namespace swavd::daemon {

struct KnnQuery {
  std::string train;
  std::string test;  ///< empty: part of `train`, by one of the next two
  std::uint64_t hold_out = 0;  ///< the last so many files are the queries
  std::uint64_t every = 0;     ///< every so-manieth file is a query
  /// At most so many, evenly spread over the files there are; 0: all.
  std::uint64_t bank = 0;
  std::uint64_t queries = 0;
  trainer::KnnOptions knn;
};

struct KnnReport {
  trainer::Accuracy model;
  trainer::Accuracy pixels;  ///< the same on raw 32x32 pixels
  std::uint64_t bank = 0;
  std::uint64_t rejected = 0;       ///< files that do not decode
  std::uint64_t classes = 0;        ///< of the files to learn from
  std::vector<std::string> names;   ///< of all classes; those first
  std::vector<std::int32_t> truth;  ///< [queries], places in `names`
};

/// Weighted kNN with labels. A query whose label no file to learn from has is
/// answered wrong. Errors: those of the paths and of the trainer;
/// kInvalidArgument: no queries are named, files without a label, one class,
/// a bank of fewer than k.
[[nodiscard]] Result<KnnReport> eval_knn(
    trainer::Trainer& trainer,
    const service::Config& config,
    const KnnQuery& query,
    const ImageProgress& progress);

}  // namespace swavd::daemon
