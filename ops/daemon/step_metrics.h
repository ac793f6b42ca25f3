#pragma once

#include "dedup_free_loader/loader.h"
#include "metrics/registry.h"
#include "trainer/trainer.h"

namespace swavd::daemon {

/// Where the time of a step went. `data_wait`: seconds before it.
void observe_phases(
    metrics::Registry& registry,
    const loader::Batch& batch,
    const trainer::StepReport& report,
    double data_wait);

/// What the step's precision and memory came to; an overflow is logged, too.
void observe_precision(
    metrics::Registry& registry,
    const trainer::StepReport& report);

/// How the optimiser scaled the gradients; nothing where it does not.
void observe_trust_ratios(
    metrics::Registry& registry,
    const trainer::StepReport& report);

/// How full the loader's hand-offs are, and which side waits.
void observe_queues(
    metrics::Registry& registry,
    const loader::LoaderStats& stats);

}  // namespace swavd::daemon
