#include "trainer/torch/step_loss.h"

#include <cmath>

#include <ATen/ops/linear.h>
#include <c10/core/GradMode.h>

namespace swavd::trainer {

std::vector<SetScores> loss_scores(
    const SwavModel& model,
    const SwavModel::Output& output,
    const EmbeddingQueue& queue) {
  std::vector<SetScores> sets;
  for (std::size_t set = 0; set < output.scores.size(); ++set) {
    sets.push_back({output.scores[set], {}});
    if (queue.full()) {
      const at::NoGradGuard no_grad;
      sets.back().queued =
          at::linear(queue.embeddings(), model.prototypes[set]);
    }
  }
  return sets;
}

SwavLossOptions loss_options(
    const SwavOptions& options,
    std::uint64_t steps,
    const DeviceLink* link) {
  const bool hard =
      options.hard_assignment_steps == SwavOptions::kAlways ||
      steps < static_cast<std::uint64_t>(options.hard_assignment_steps);
  return {
      options.temperature,
      options.assign_crops,
      {options.epsilon, options.sinkhorn_iterations, link},
      hard};
}

double untrained_loss(const HeadOptions& options) {
  double sum = 0;
  for (const std::int64_t count : options.prototypes) {
    sum += std::log(static_cast<double>(count));
  }
  return sum / static_cast<double>(options.prototypes.size());
}

}  // namespace swavd::trainer
