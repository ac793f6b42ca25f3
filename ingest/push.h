#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "ingest/sink.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// What a push has done so far.
struct PushSummary {
  std::uint64_t published = 0;  ///< records handed over
  std::uint64_t bytes = 0;      ///< of their payloads
  std::uint64_t rejected = 0;   ///< files left out, each logged with a reason
  double seconds = 0;           ///< since the push began
};

struct PushOptions {
  double records_per_second = 0;  ///< evenly paced; 0: as fast as it goes
  /// Leaves out so many files at the end of every folder and tar, for an
  /// evaluation to look at (`swavd eval knn --hold-out`). Not for lists.
  std::uint64_t hold_out = 0;
  std::uint64_t max_record_bytes = 16ULL << 20U;   ///< larger ones are rejected
  std::chrono::milliseconds flush_timeout{60000};  ///< for the last records
  /// Called after every file, from the calling thread.
  std::function<void(const PushSummary&)> on_progress;
};

/// Publishes every file of every path: a folder or a tar (see
/// `for_each_file`), or a list (.txt or .lst: paths of files, one a line,
/// relative to the list's folder; empty lines are passed over). The key is
/// the first 16 hexadecimal digits of the content's SHA-256; headers are
/// "sha256" and "name"; the timestamp is now.
///
/// A file above the limit, or named by a list and unreadable, is counted as
/// rejected; anything else that fails ends the push. A stop ends it early
/// without an error. Either way what was published is flushed first. Errors:
/// those of `for_each_file` and of the sink; kInvalidArgument (a list and
/// `hold_out`).
[[nodiscard]] Result<PushSummary> push_paths(
    Sink& sink,
    const std::vector<std::string>& paths,
    const PushOptions& options,
    const std::stop_token& stop);

/// {"published":N,"bytes":N,"rejected":N,"seconds":S}, S with three decimals.
[[nodiscard]] std::string to_json(const PushSummary& summary);

}  // namespace swavd::ingest
