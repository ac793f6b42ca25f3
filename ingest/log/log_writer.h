#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ingest/log/log_options.h"
#include "ingest/log/log_paths.h"
#include "ingest/log/log_tables.h"
#include "ops/base/bytes.h"
#include "ops/base/files.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// A record on its way into the database: `head + payload` is the value.
struct StoredRecord {
  std::int32_t partition = 0;
  std::string head;  ///< from `encode_head`
  ByteVector payload;

  [[nodiscard]] std::uint64_t bytes() const {
    return head.size() + payload.size();
  }
};

/// Free space that no write may take: RocksDB as Debian builds it aborts the
/// process when its log meets a full disk, and turning the logs into tables
/// takes space as well.
inline constexpr std::uint64_t kDiskReserveBytes = 256ULL << 20U;

struct LogWriterOptions {
  std::int32_t partitions = 8;          ///< of a stream that is made here
  std::uint64_t retention_bytes = 0;    ///< of all partitions; 0: keep all
  std::uint64_t retention_seconds = 0;  ///< 0: keep however old
  /// Of one payload: retention must leave room for it.
  std::uint64_t max_record_bytes = 16ULL << 20U;
};

/// The database of a stream in the hands of its one writer. Gives offsets,
/// makes them durable, and only then shows them to readers.
///
/// Not thread-safe, but for `first_offset`.
class LogWriter {
 public:
  /// Makes the stream when it is absent; one that is there keeps its number
  /// of partitions. What an earlier writer left unsynced is made durable and
  /// shown. Errors: kUnavailable naming the process that writes it,
  /// kInvalidArgument (the folder holds another kind of database, the number
  /// of partitions, a retention too small for one record),
  /// kCorruption (acknowledged records are missing), kExhausted (the disk has
  /// less than the reserve), kIo.
  [[nodiscard]] static Result<std::unique_ptr<LogWriter>> open(
      const LogPaths& paths,
      const LogWriterOptions& options);

  [[nodiscard]] const std::string& id() const { return id_; }

  [[nodiscard]] std::int32_t partitions() const {
    return tables_->partitions();
  }

  /// The offset that the next record of each partition gets.
  [[nodiscard]] const std::vector<std::int64_t>& next_offsets() const {
    return next_;
  }

  /// The oldest offset that still exists, `if_empty` when there is none.
  [[nodiscard]] Result<std::int64_t> first_offset(
      std::int32_t partition,
      std::int64_t if_empty);

  /// How large one batch should be at most: a batch lands in one table, which
  /// must stay small beside what a partition keeps.
  [[nodiscard]] std::uint64_t batch_limit() const { return batch_limit_; }

  /// Bytes in memory that will become table files.
  [[nodiscard]] std::uint64_t unflushed_bytes();

  /// Gives `records` the next offsets of their partitions and returns once
  /// all of them are on disk. Readers do not see them yet. After an error
  /// nothing more may be written: how much is on disk is known only after the
  /// next `open`. Errors: kExhausted, kIo.
  [[nodiscard]] Status append(std::span<const StoredRecord> records);

  /// Shows everything appended so far to readers. Needs no sync: should the
  /// mark be lost in a power cut, `open` writes it again. Errors: as `append`.
  [[nodiscard]] Status mark_durable();

 private:
  LogWriter(FileLock lock, LogPaths paths)
      : lock_(std::move(lock)),
        paths_(std::move(paths)) {}

  [[nodiscard]] Status open_tables(const LogWriterOptions& options);
  [[nodiscard]] Status open_with(
      std::int32_t partitions,
      const LogWriterOptions& options);
  [[nodiscard]] Status make_stream();
  [[nodiscard]] Status recover_offsets(const LogMeta& meta);
  [[nodiscard]] Result<std::int64_t> recover_next(
      std::int32_t partition,
      std::int64_t durable_end);
  [[nodiscard]] Status write(rocksdb::WriteBatch& batch, bool sync);

  FileLock lock_;
  LogPaths paths_;
  std::string id_;
  std::uint64_t batch_limit_ = 0;
  std::unique_ptr<LogTables> tables_;
  std::vector<std::int64_t> next_;
  std::vector<std::int64_t> marked_;
};

}  // namespace swavd::ingest
