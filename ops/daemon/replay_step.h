#pragma once

#include <string>

#include "ops/base/result.h"

namespace swavd::daemon {

/// What `swavd replay-step` has to tell.
struct ReplayReport {
  bool trained = false;      ///< false: skipped, nothing changed
  std::string skip_reason;   ///< as StepReport's
  double loss = 0;           ///< nats, before the update
  double grad_norm = 0;      ///< L2 over all parameters, frozen ones included
  double learning_rate = 0;  ///< the schedule's, at this snapshot
};

/// One training step of a snapshot on the crops of a file (see
/// `read_crops_file`), with the rate that its schedule has come to; the result
/// is written as a snapshot into `folder`: everything a step changes, `ref` its
/// parent, the position in the stream as it was. A step that is skipped writes
/// what was there. Errors: those of `load_model` and `read_crops_file`;
/// kInvalidArgument, a snapshot without weights or crops that the model cannot
/// be trained on; kNotFound, one that was pulled without its state; kIo.
[[nodiscard]] Result<ReplayReport> replay_step(
    const std::string& ref,
    const std::string& crops_file,
    const std::string& folder);

/// {"loss":…,"grad_norm":…,"learning_rate":…}; a figure that is not finite, or
/// was not come to, is null, and "skipped" says why.
[[nodiscard]] std::string to_json(const ReplayReport& report);

}  // namespace swavd::daemon
