#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "ops/base/result.h"
#include "ops/service/config.h"

namespace swavd::daemon {

/// What a person watching sees of an anneal.
struct AnnealProgress {
  std::uint64_t images = 0;  ///< trained by the branch so far
  std::uint64_t of = 0;
  double images_per_second = 0;
  double loss = 0;  ///< nats, smoothed
  double learning_rate = 0;
};

struct AnnealOptions {
  std::string snapshot;      ///< REF, with its state
  std::uint64_t images = 0;  ///< at least 1; rounded up to whole batches
  double end_rate = 0;
  std::string out;  ///< folder of the branch's snapshot
  /// Called about once a second from a thread of its own. May be empty.
  std::function<void(const AnnealProgress&)> on_progress;
};

struct AnnealReport {
  std::string snapshot_id;
  std::string parent;
  std::uint64_t steps = 0;   ///< of the branch
  std::uint64_t images = 0;  ///< trained by the branch
  double first_rate = 0;
  double last_rate = 0;  ///< of the last step
  double loss = 0;       ///< nats, smoothed, at the end
  double seconds = 0;
};

/// `swavd anneal`: leaves the run of `config` at a snapshot, trains on the next
/// images of its stream with a falling rate (`scheduler::anneal_from`) and
/// writes what it has then as one snapshot into a folder. Publishes the weights
/// themselves, whatever `model.ema` is: the falling rate averages already.
///
/// The run learns nothing of it, whether its daemon runs or not: no store, no
/// lease, no dead letters, no position of a reader. Where the stream ends it
/// waits for more. SIGTERM and SIGINT end it: kCancelled, nothing is written.
///
/// Errors: kInvalidArgument (no images, a rate that does not fall, `out` holds
/// something else); kConfig (the snapshot was made with other lineage keys, or
/// of another stream); kInternal (training came to a pause); those of
/// `state::open_snapshot`, of the stream and of the trainer.
[[nodiscard]] Result<AnnealReport> run_anneal(
    const service::Config& config,
    const AnnealOptions& options);

}  // namespace swavd::daemon
