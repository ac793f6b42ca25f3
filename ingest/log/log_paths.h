#pragma once

#include <filesystem>
#include <string_view>

#include "ingest/streams.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// Where the parts of an embedded stream lie. `log:///FOLDER/TOPIC`:
///   FOLDER/TOPIC          the database
///   FOLDER/TOPIC/wal      its write-ahead logs, apart so that a reader can
///                         watch and list them without the table files
///   FOLDER/TOPIC.lock     held by the writing process
///   FOLDER/TOPIC.readers  one file `<run>.json` for each reader
struct LogPaths {
  std::filesystem::path database;
  std::filesystem::path wal;
  std::filesystem::path lock;
  std::filesystem::path readers;
};

/// Errors: kInvalidArgument when `url` is not `log:///FOLDER/TOPIC` with an
/// absolute folder, or the topic would leave it or take the name of another
/// stream's part.
[[nodiscard]] Result<LogPaths> log_paths(const StreamUrl& url);

/// The progress file of reader `run`. Errors: kInvalidArgument when `run`
/// cannot be a file name.
[[nodiscard]] Result<std::filesystem::path> reader_file(
    const LogPaths& paths,
    std::string_view run);

}  // namespace swavd::ingest
