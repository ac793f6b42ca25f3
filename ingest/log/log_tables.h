#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rocksdb/db.h>

#include "ops/base/result.h"

namespace swavd::ingest {

/// What the stream says about itself, kept in the default column family.
struct LogMeta {
  std::string id;               ///< random, 32 hexadecimal digits
  std::int32_t partitions = 0;  ///< fixed when the stream was made
  /// For each partition: all offsets below are on disk for good.
  std::vector<std::int64_t> durable_end;
};

/// Keys of the default column family.
inline constexpr std::string_view kMetaFormat = "format";
inline constexpr std::string_view kMetaId = "id";
inline constexpr std::string_view kMetaPartitions = "partitions";
inline constexpr std::string_view kLogFormat = "swavd-log/1";

/// "durable_end/<partition>".
[[nodiscard]] std::string durable_end_key(std::int32_t partition);

/// Name of a partition's column family: "p<partition>".
[[nodiscard]] std::string partition_name(std::int32_t partition);

/// The database of a stream, opened by its writer or as a secondary by a
/// reader, with a handle for each column family. Thread-safe as RocksDB is.
class LogTables {
 public:
  /// Takes over `db` and `handles`: the default column family, then the
  /// partitions in order.
  LogTables(
      std::unique_ptr<rocksdb::DB> db,
      std::vector<rocksdb::ColumnFamilyHandle*> handles);
  LogTables(const LogTables&) = delete;
  LogTables& operator=(const LogTables&) = delete;
  ~LogTables();

  [[nodiscard]] rocksdb::DB& db() { return *db_; }

  [[nodiscard]] rocksdb::ColumnFamilyHandle* meta() { return handles_[0]; }

  [[nodiscard]] rocksdb::ColumnFamilyHandle* partition(std::int32_t index) {
    return handles_[static_cast<std::size_t>(index) + 1];
  }

  /// Column families of partitions that are there.
  [[nodiscard]] std::int32_t partitions() const {
    return static_cast<std::int32_t>(handles_.size()) - 1;
  }

  /// Errors: kNotFound (its making was not finished), kCorruption (another
  /// format, or the column families do not fit it), kIo.
  [[nodiscard]] Result<LogMeta> read_meta();

  /// Reads the stored value at `offset` into `value`; false when it is not
  /// there. Errors: kCorruption, kIo.
  [[nodiscard]] Result<bool> find(
      std::int32_t partition,
      std::int64_t offset,
      rocksdb::PinnableSlice& value);

  /// The lowest offset stored, nullopt when the partition holds none. Looks
  /// at the tables' key ranges only: it reads no data.
  [[nodiscard]] Result<std::optional<std::int64_t>> first_offset(
      std::int32_t partition);

  /// One above the highest offset in a table file, 0 without one. Records
  /// still in the write-ahead log are not counted.
  [[nodiscard]] std::int64_t table_end(std::int32_t partition);

 private:
  [[nodiscard]] Result<std::string> read_meta_value(std::string_view key);
  [[nodiscard]] Result<std::optional<std::int64_t>> first_in_memory(
      std::int32_t partition);

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
};

/// The Error for a failed RocksDB call on the database at `path`.
[[nodiscard]] Error rocks_error(
    const rocksdb::Status& status,
    std::string_view what,
    const std::filesystem::path& path);

}  // namespace swavd::ingest
