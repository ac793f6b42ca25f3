#pragma once

#include <string>

#include "ops/bin/cli.h"
#include "ops/bin/progress_bar.h"
#include "ops/bin/swavd_commands.h"
#include "ops/daemon/evaluate.h"

namespace swavd::bin {

/// Adds `eval views`, `knn`, `linear`, `low-shot` and `finetune`.
void add_eval_commands(CLI::App& app, Body& body);

/// Adds --snapshot REF, which `snapshot` receives.
void add_snapshot_option(CLI::App& command, std::string& snapshot);

/// Adds --weights published|raw, which `weights` receives.
void add_weights_option(CLI::App& command, std::string& weights);

/// What a model is loaded for, by that option.
[[nodiscard]] daemon::ModelUse use_of(const std::string& weights);

/// Shows how many images are done, while `bar` lives.
[[nodiscard]] daemon::ImageProgress shown_by(ProgressBar& bar);

}  // namespace swavd::bin
