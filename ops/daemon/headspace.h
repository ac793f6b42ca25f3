#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "ops/base/result.h"
#include "ops/service/config.h"

namespace swavd::daemon {

/// What a run could do, and what keeps it from more.
struct HeadspaceReport {
  double loader_rate = 0;    ///< images/s of the loader alone
  double step_rate = 0;      ///< images/s of steps on one batch, over and over
  double together_rate = 0;  ///< images/s of steps on what the loader brings
  std::int32_t workers = 0;  ///< threads that decode
  /// CPU seconds a decoded image takes, of one worker.
  double loader_seconds = 0;
  std::string device;  ///< what steps are computed on: "cpu" or "cuda:N"
};

/// What limits training: "loader" (alone it brings less than 1.1 times what the
/// steps take), "step" (together they reach 95 % of what the steps alone do),
/// or "cores": either would do, but they take them from each other.
[[nodiscard]] std::string_view limit_of(const HeadspaceReport& report);

/// `swavd headspace`: three rates of the configured model, loader and stream,
/// each over `each` or a little more. Reads the stream from its first record,
/// and anew for the third rate. A stream that ends before counts up to its end.
///
/// The run learns nothing of it: no store, no lease, no dead letters, no
/// position of a reader, and the weights are thrown away.
///
/// Errors: kUnavailable, the stream does not hold the three batches that it
/// takes; those of the stream, the loader and the trainer.
[[nodiscard]] Result<HeadspaceReport> measure_headspace(
    const service::Config& config,
    std::chrono::milliseconds each);

}  // namespace swavd::daemon
