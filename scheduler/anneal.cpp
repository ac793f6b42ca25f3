#include "scheduler/anneal.h"

namespace swavd::scheduler {

ScheduleOptions anneal_from(
    const ScheduleOptions& run,
    const ScheduleState& state,
    std::uint64_t images,
    double end_rate) {
  ScheduleOptions branch = run;
  branch.kind = ScheduleKind::kCosine;
  branch.cosine = CosineVariant::kRescaled;
  branch.learning_rate = learning_rate(run, state);
  // A warm-up that is over: the cosine begins where it ends.
  branch.warmup_images = state.images;
  branch.total_images = state.images + images;
  branch.end_learning_rate = end_rate;
  return branch;
}

}  // namespace swavd::scheduler
