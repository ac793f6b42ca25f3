#pragma once

#include <cstdint>
#include <vector>

#include "trainer/options.h"
#include "trainer/swav/embedding_queue.h"
#include "trainer/swav/swav_loss.h"
#include "trainer/torch/swav_model.h"

namespace swavd::trainer {

/// What a step's loss is made of: the batch's scores and, once the queue is
/// full, those of its images under the prototypes as they are now.
[[nodiscard]] std::vector<SetScores> loss_scores(
    const SwavModel& model,
    const SwavModel::Output& output,
    const EmbeddingQueue& queue);

/// How the loss is computed after `steps` steps, on the device of `link`
/// (nullptr: the CPU).
[[nodiscard]] SwavLossOptions loss_options(
    const SwavOptions& options,
    std::uint64_t steps,
    const DeviceLink* link);

/// The loss of a model that knows nothing, in nats: the mean of ln K.
[[nodiscard]] double untrained_loss(const HeadOptions& options);

}  // namespace swavd::trainer
