#pragma once

#include <memory>
#include <string>
#include <vector>

#include "dedup_free_loader/batch.h"
#include "dedup_free_loader/loader.h"
#include "ingest/sink.h"
#include "ingest/source.h"
#include "ingest/streams.h"
#include "metrics/registry.h"
#include "ops/base/result.h"
#include "ops/daemon/restore.h"
#include "ops/service/config.h"

namespace swavd::daemon {

/// The stream of a run, opened and assigned.
struct RunStream {
  std::unique_ptr<ingest::Source> source;
  std::unique_ptr<ingest::Sink> dead_letters;  ///< null: off
  std::string id;
  std::vector<std::int32_t> partitions;
  /// Gaps jumped and not yet taken by the loader; filled and emptied on the
  /// polling thread. Shared with the source's callback.
  std::shared_ptr<std::vector<loader::PartitionRange>> gaps;
};

/// Errors of a stream into the counter and the log, with one reason word.
[[nodiscard]] ingest::StreamEvents stream_events(metrics::Registry& registry);

/// Opens the source of `config`; an embedded stream that does not exist yet
/// is created. Errors: kUnavailable, kNotFound, kInvalidArgument, kIo.
[[nodiscard]] Result<RunStream> open_run_stream(
    const service::Config& config,
    metrics::Registry& registry);

/// Opens the source of `config` to read it beside its run: nothing is created,
/// no dead letters are written, and as long as `publish_progress` is not called
/// nobody learns of the reader. Errors: kUnavailable, kNotFound,
/// kInvalidArgument, kIo.
[[nodiscard]] Result<RunStream> open_branch_stream(
    const service::Config& config,
    metrics::Registry& registry);

/// Brings `run` in step with the partitions there are (new ones join at their
/// start, a new run begins at stream.start) and assigns the source.
/// Errors: kConfig (another stream than the snapshot's), those of `assign`.
[[nodiscard]] Status
assign_stream(const service::Config& config, RunStream& stream, RunState& run);

/// Loads what comes after `run` in its assigned stream, which outlives the
/// loader, into memory of `allocator`.
[[nodiscard]] std::unique_ptr<loader::Loader> start_run_loader(
    const service::Config& config,
    const RunStream& stream,
    const RunState& run,
    const loader::BufferAllocator& allocator);

}  // namespace swavd::daemon
