// Stands in for everything LibTorch does in a build without it.
#include "trainer/evaluation.h"
#include "trainer/fine_tune.h"
#include "trainer/probe.h"
#include "trainer/trainer.h"

namespace swavd::trainer {

namespace {

Error no_torch() {
  return {ErrorCode::kUnavailable, "this build has no LibTorch"};
}

}  // namespace

Result<std::unique_ptr<Trainer>> make_torch_trainer(
    const TrainerOptions& /*options*/) {
  return no_torch();
}

Result<Accuracy> knn(
    const Features& /*bank*/,
    const std::vector<std::int32_t>& /*bank_labels*/,
    const Features& /*queries*/,
    const std::vector<std::int32_t>& /*query_labels*/,
    const KnnOptions& /*options*/) {
  return no_torch();
}

Result<std::vector<std::uint8_t>> view_retrieval(
    const Features& /*first*/,
    const Features& /*second*/) {
  return no_torch();
}

Result<std::unique_ptr<ProbeTrainer>> make_probe_trainer(
    const TrainerOptions& /*model*/,
    state::SnapshotReader& /*snapshot*/,
    const ProbeOptions& /*options*/) {
  return no_torch();
}

Result<std::unique_ptr<Classifier>> make_fine_tuner(
    const TrainerOptions& /*model*/,
    state::SnapshotReader& /*snapshot*/,
    const FineTuneOptions& /*options*/) {
  return no_torch();
}

}  // namespace swavd::trainer
