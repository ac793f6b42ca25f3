#pragma once

#include <memory>
#include <string>

#include "ingest/files/file_walk.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// Lists a folder and its sub-folders at once (links to files are followed,
/// links to folders are not) and reads the files in bytewise order of their
/// names. Errors: kNotFound, kIo.
[[nodiscard]] Result<std::unique_ptr<FileWalk>> open_folder_walk(
    const std::string& path);

}  // namespace swavd::ingest
