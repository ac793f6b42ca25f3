#pragma once

#include <memory>
#include <string>

#include "ingest/files/file_walk.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// Streams a tar file (ustar, pax, GNU; plain or compressed with gzip, bzip2,
/// xz or zstd), one member in memory at a time. Errors: kInvalidArgument (not
/// a tar), kNotFound, kIo.
[[nodiscard]] Result<std::unique_ptr<FileWalk>> open_tar_walk(
    const std::string& path);

}  // namespace swavd::ingest
