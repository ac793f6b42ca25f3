#include "ingest/log/log_options.h"

#include <algorithm>
#include <limits>
#include <memory>

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>
#include <sys/resource.h>

#include "ingest/log/log_tables.h"
#include "ops/base/log.h"
#include "ops/base/rocks_log.h"

namespace swavd::ingest {

namespace {

constexpr std::uint64_t kMebibyte = 1ULL << 20U;
constexpr std::uint64_t kLargestTable = 32 * kMebibyte;
// Holds the current block of every partition when records are small.
constexpr std::size_t kBlockCacheBytes = 8 * kMebibyte;

rocksdb::DBOptions shared_options(const LogPaths& paths) {
  rocksdb::DBOptions options;
  options.wal_dir = paths.wal;
  options.info_log = make_rocks_log("embedded_stream_rocksdb");
  // With more, RocksDB starts that many threads at every look at the manifest,
  // which a reader takes several hundred times a second.
  options.max_file_opening_threads = 1;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions partition_options(
    const RetentionOptions& retention,
    const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 16 << 10U;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compaction_style = rocksdb::kCompactionStyleFIFO;
  options.compaction_options_fifo.max_table_files_size =
      retention.partition_bytes == 0 ? std::numeric_limits<std::int64_t>::max()
                                     : retention.partition_bytes;
  options.ttl = retention.age_seconds;
  options.num_levels = 1;
  options.compression = rocksdb::kNoCompression;
  options.write_buffer_size = table_bytes(retention.partition_bytes);
  // One fills while one is written: a flush never joins two into a table that
  // retention would have to drop at once.
  options.max_write_buffer_number = 2;
  return options;
}

}  // namespace

std::uint64_t table_bytes(std::uint64_t partition_bytes) {
  if (partition_bytes == 0) {
    return kLargestTable;
  }
  const std::uint64_t fine = std::max(partition_bytes / 64, kMebibyte);
  return std::min({fine, partition_bytes / 8, kLargestTable});
}

std::vector<rocksdb::ColumnFamilyDescriptor> log_families(
    std::int32_t partitions,
    const RetentionOptions& retention) {
  const auto cache = rocksdb::NewLRUCache(kBlockCacheBytes, 0);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.emplace_back(
      rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions());
  for (std::int32_t p = 0; p < partitions; ++p) {
    families.emplace_back(
        partition_name(p), partition_options(retention, cache));
  }
  return families;
}

rocksdb::DBOptions writer_db_options(
    const LogPaths& paths,
    std::int32_t partitions,
    const RetentionOptions& retention) {
  rocksdb::DBOptions options = shared_options(paths);
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // A partition that gets little must not keep everybody's old logs alive:
  // a reader replays all of them when it starts.
  options.max_total_wal_size = static_cast<std::uint64_t>(partitions) *
                               table_bytes(retention.partition_bytes);
  // The writer reads no records back; ageing looks into open tables only.
  options.max_open_files = retention.age_seconds == 0 ? 64 : -1;
  return options;
}

rocksdb::DBOptions reader_db_options(const LogPaths& paths) {
  rocksdb::DBOptions options = shared_options(paths);
  options.max_open_files = -1;
  // Records are read in order: let the kernel read ahead.
  options.advise_random_on_open = false;
  options.skip_stats_update_on_db_open = true;
  return options;
}

void raise_open_file_limit() {
  static const bool raised = [] {
    struct rlimit limit {};

    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
      return false;
    }
    constexpr rlim_t kPlenty = 1U << 20U;
    limit.rlim_cur =
        std::max(limit.rlim_cur, std::min(limit.rlim_max, kPlenty));
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
  }();
  if (!raised) {
    log(LogLevel::kWarning,
        "open_file_limit",
        "the limit of open files could not be raised; a long embedded stream "
        "may need more (LimitNOFILE= of the service)");
  }
}

}  // namespace swavd::ingest
