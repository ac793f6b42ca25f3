#pragma once

#include <memory>

#include "ingest/streams.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// An embedded stream being read, `log:///FOLDER/TOPIC`; a writer may be at
/// work in this or another process, or not. Errors: kNotFound (nobody has
/// made it yet: open a sink first, or wait for whoever writes it),
/// kInvalidArgument, kExhausted (no inotify watch to be had), kCorruption, kIo.
[[nodiscard]] Result<std::unique_ptr<Source>> open_log_source(
    const StreamUrl& url,
    const SourceOptions& options);

/// An embedded stream being written; made when absent. Errors: kUnavailable
/// naming the process that writes it already, kInvalidArgument (the name, the
/// number of partitions, a retention too small for one record), kCorruption
/// (acknowledged records are gone), kExhausted, kIo.
[[nodiscard]] Result<std::unique_ptr<Sink>> open_log_sink(
    const StreamUrl& url,
    const SinkOptions& options);

}  // namespace swavd::ingest
