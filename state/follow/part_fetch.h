#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <vector>

#include "ops/base/result.h"
#include "state/manifest.h"
#include "state/snapshot_store.h"

namespace swavd::state {

struct FetchOptions {
  std::size_t parallel = 4;
  std::uint64_t part_bytes = 8U << 20U;
};

/// Fetches `files` of `reader`'s snapshot into `folder`, verified and synced.
/// Where the reader has ranges they come in parts, several at once; each part
/// is written down with its digest in "<file>.parts" beside the file, so that
/// after an interruption only those are fetched that are missing or do not
/// fit. Gives the bytes that were fetched. Errors: kCorruption, a digest does
/// not fit though the whole file was fetched; kExhausted, no room; kCancelled,
/// `stop`; those of the reader.
[[nodiscard]] Result<std::uint64_t> fetch_files(
    SnapshotReader& reader,
    const std::vector<FileEntry>& files,
    const std::filesystem::path& folder,
    const FetchOptions& options,
    const std::stop_token& stop);

}  // namespace swavd::state
