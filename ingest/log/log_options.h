#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include "ingest/log/log_paths.h"

namespace swavd::ingest {

/// How a partition's column family keeps its records.
struct RetentionOptions {
  std::uint64_t partition_bytes = 0;  ///< at most about this much; 0: all
  std::uint64_t age_seconds = 0;      ///< drop tables older; 0: never
};

/// Bytes a partition collects before they become one table file, the step in
/// which retention drops records: a 64th of `partition_bytes`, at least 1 MiB
/// (but never more than an eighth), at most 32 MiB. Bounds both the memory a
/// partition takes and the number of files.
[[nodiscard]] std::uint64_t table_bytes(std::uint64_t partition_bytes);

/// The default column family (a few small keys, ordinary compaction) and
/// `partitions` others: FIFO compaction, which deletes whole tables from the
/// oldest on and rewrites nothing; no compression, since images do not shrink.
[[nodiscard]] std::vector<rocksdb::ColumnFamilyDescriptor> log_families(
    std::int32_t partitions,
    const RetentionOptions& retention);

/// For the one writer. Makes the database when it is absent.
[[nodiscard]] rocksdb::DBOptions writer_db_options(
    const LogPaths& paths,
    std::int32_t partitions,
    const RetentionOptions& retention);

/// For a secondary: keeps every table open, so that one which retention
/// removes can still be read to its end.
[[nodiscard]] rocksdb::DBOptions reader_db_options(const LogPaths& paths);

/// Raises this process's soft limit of open files, once, to its hard limit or
/// a million: a secondary holds a descriptor for each table file, which passes
/// the usual soft limit of 1,024 at some ten GB.
void raise_open_file_limit();

}  // namespace swavd::ingest
