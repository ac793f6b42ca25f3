#pragma once

#include <cstdint>
#include <string>

#include "dedup_free_loader/loader.h"
#include "ops/daemon/prober.h"
#include "ops/service/config.h"
#include "scheduler/health.h"
#include "scheduler/learning_rate.h"
#include "scheduler/snapshots.h"
#include "trainer/options.h"

namespace swavd::daemon {

// A Config in the terms of each folder. All functions are pure and expect a
// config without mistakes.

[[nodiscard]] trainer::TrainerOptions trainer_options(
    const service::Config& config);

[[nodiscard]] loader::LoaderOptions loader_options(
    const service::Config& config);

/// The loader for evaluation: centre crops as preprocessor_config.json says,
/// the rest of a finite source as a smaller last batch.
[[nodiscard]] loader::LoaderOptions center_loader_options(
    const service::Config& config);

[[nodiscard]] scheduler::ScheduleOptions schedule_options(
    const service::Config& config);

[[nodiscard]] scheduler::HealthOptions health_options(
    const service::Config& config);

[[nodiscard]] scheduler::CadenceOptions cadence_options(
    const service::Config& config);

[[nodiscard]] scheduler::RetentionOptions retention_options(
    const service::Config& config);

/// The same for the object store.
[[nodiscard]] scheduler::RetentionOptions remote_retention_options(
    const service::Config& config);

/// For snapshots of this config's data folder.
[[nodiscard]] ProberOptions prober_options(const service::Config& config);

/// Threads of the loader: as configured, else one for every two cores.
[[nodiscard]] std::int32_t loader_workers(const service::Config& config);

}  // namespace swavd::daemon
