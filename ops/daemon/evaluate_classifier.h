#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ops/base/result.h"
#include "ops/daemon/evaluate.h"
#include "trainer/classifier.h"
#include "trainer/evaluation.h"
#include "trainer/protocols.h"

namespace swavd::daemon {

struct ClassifierQuery {
  std::string train;  ///< a PATH with labels
  std::string test;   ///< likewise
  trainer::Protocol protocol;
  double fraction = 0;  ///< low-shot: share of the labels, in (0, 1]
  std::uint64_t seed = 0;
  /// Linear: the features of the centre crops, once, instead of those of new
  /// random crops in every epoch.
  bool cached = false;
  std::uint64_t cache_bytes = 4ULL << 30U;  ///< at most, of those features
};

/// What one head learnt.
struct HeadResult {
  trainer::HeadInfo head;
  trainer::Accuracy test;
};

struct ClassifierReport {
  std::string snapshot_id;
  std::vector<HeadResult> heads;
  std::size_t best = 0;      ///< the head that is best on the test images
  trainer::Accuracy pixels;  ///< kNN on raw 32x32 pixels
  std::uint64_t pixels_bank = 0;
  std::vector<std::string> classes;
  std::vector<std::int32_t> truth;    ///< [test images], of the classes
  std::uint64_t train_images = 0;     ///< files to learn from
  std::uint64_t least_per_class = 0;  ///< of those
  std::uint64_t most_per_class = 0;
  std::uint64_t rejected = 0;  ///< files that do not decode
  std::uint64_t steps = 0;
  double loss = 0;          ///< nats, mean of the last epoch
  std::int32_t crop = 0;    ///< pixels
  std::int32_t resize = 0;  ///< of the test images' short side
};

/// Linear probes, low-shot and full fine-tuning by a protocol, then the test.
/// `ref` names the snapshot. Errors: those of the snapshot, the paths and the
/// trainer; kInvalidArgument: files without a label, one class, test labels
/// that are not among those to learn from, fewer images than a batch, features
/// that need more than `cache_bytes`.
[[nodiscard]] Result<ClassifierReport> eval_classifier(
    const std::string& ref,
    const ClassifierQuery& query,
    const ImageProgress& progress);

}  // namespace swavd::daemon
