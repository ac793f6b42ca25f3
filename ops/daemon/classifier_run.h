#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "dedup_free_loader/loader.h"
#include "ops/base/result.h"
#include "ops/daemon/evaluate_classifier.h"
#include "ops/daemon/labelled_images.h"
#include "ops/service/config.h"
#include "trainer/probe.h"

namespace swavd::daemon {

/// One evaluation from the first epoch to the test. Borrows what it is made
/// with.
class ClassifierRun {
 public:
  ClassifierRun(
      const service::Config& config,
      const ClassifierQuery& query,
      LabelledImages& images,
      const ImageProgress& progress);

  /// Trains on new random crops in every epoch.
  [[nodiscard]] Status train(trainer::Classifier& classifier);

  /// Trains on the features of the centre crops, computed once.
  [[nodiscard]] Status train_cached(trainer::ProbeTrainer& probes);

  /// Tests what was trained; all of the report but the snapshot's id.
  [[nodiscard]] Result<ClassifierReport> test(trainer::Classifier& classifier);

 private:
  using Visit = std::function<
      Status(const loader::Batch&, const std::vector<std::int32_t>& labels)>;

  Status visit_images(
      ingest::FileSet& files,
      std::vector<std::size_t> places,
      const loader::LoaderOptions& options,
      const loader::BufferAllocator& allocator,
      const Visit& visit);
  Status remember_all(trainer::ProbeTrainer& probes);
  Status epoch_of_remembered(trainer::ProbeTrainer& probes, std::int32_t epoch);
  /// Takes down the loss of a step.
  Status stepped(const Result<double>& loss);
  Status end_epoch(std::int32_t epoch);
  /// The share of the epoch that is done.
  [[nodiscard]] double share() const;
  Status pixels(ClassifierReport& report);
  void done(std::size_t images);

  const service::Config& config_;
  const ClassifierQuery& query_;
  LabelledImages& images_;
  const ImageProgress& progress_;
  ClassifierReport report_;
  std::uint64_t rejected_ = 0;  ///< files of the pass that do not decode
  std::uint64_t epoch_steps_ = 0;
  double epoch_loss_ = 0;  ///< sum over the steps of the epoch
  std::uint64_t done_ = 0;
  std::uint64_t of_ = 0;
};

}  // namespace swavd::daemon
