#pragma once

#include <string>
#include <vector>

#include "ops/base/result.h"
#include "ops/service/config.h"
#include "trainer/initial_weights.h"
#include "trainer/trainer.h"

namespace swavd::daemon {

/// Holds the files of `model.init_from` against the model of the config,
/// reading headers only. `config.model.init_from` is not empty. Errors: kConfig
/// naming what is wrong with the path, the files or the trunk; kIo.
[[nodiscard]] Result<trainer::InitialWeights> plan_initial_weights(
    const service::Config& config);

/// What a snapshot's manifest says of the weights its run began with: the
/// section `origin`, as JSON. `digests`: of the files, in their order.
[[nodiscard]] std::string origin_to_json(
    const trainer::InitialWeights& weights,
    const std::vector<std::string>& digests);

/// Lets a new run begin with the weights of `model.init_from`, when there is
/// one: logs the report and gives the section `origin`, empty when the run
/// begins at random. Errors: as `plan_initial_weights`.
[[nodiscard]] Result<std::string> begin_with_given_weights(
    const service::Config& config,
    trainer::Trainer& trainer);

}  // namespace swavd::daemon
