#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ingest/log/log_paths.h"
#include "ingest/position.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// For each partition, the offset below which a reader needs nothing.
using ReaderNext = std::map<std::int32_t, std::int64_t>;

/// What a reader says of itself in `<topic>.readers/<run>.json`.
struct ReaderProgress {
  std::string stream_id;  ///< of the stream the offsets belong to
  ReaderNext next;
};

/// Writes `positions` into the reader's file. Partitions that `positions`
/// does not name keep what the file says, so that the ranks of a run may each
/// write their own. Errors: kExhausted, kIo.
[[nodiscard]] Status write_reader_progress(
    const std::filesystem::path& file,
    const std::string& stream_id,
    const std::vector<Position>& positions,
    std::int64_t now_ms);

/// Errors: kNotFound, kIo, kCorruption (not a reader's file).
[[nodiscard]] Result<ReaderProgress> read_reader_progress(
    const std::filesystem::path& file);

/// The slowest of all readers of stream `stream_id`, partition by partition.
struct SlowestReaders {
  ReaderNext next;  ///< partitions that some reader names
  std::vector<std::string> readers;
  std::vector<std::string> unreadable;  ///< files left out, with the reason
};

/// Reads all files `*.json` in `folder`; those of another stream (a topic
/// made anew) count for nothing.
[[nodiscard]] SlowestReaders slowest_readers(
    const std::filesystem::path& folder,
    const std::string& stream_id);

}  // namespace swavd::ingest
