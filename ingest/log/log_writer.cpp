#include "ingest/log/log_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <random>

#include <fmt/format.h>
#include <rocksdb/write_batch.h>

#include "ingest/log/wire.h"

namespace swavd::ingest {

namespace {

constexpr std::int32_t kMostPartitions = 1024;
// Enough for a sync to be cheap in comparison; larger ones only add latency.
constexpr std::uint64_t kBatchBytes = 16ULL << 20U;

std::string random_id() {
  std::random_device device;
  std::string id;
  for (int i = 0; i < 4; ++i) {
    id += fmt::format("{:08x}", device());
  }
  return id;
}

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}

std::string u64_text(std::int64_t value) {
  std::string text;
  append_u64_le(text, static_cast<std::uint64_t>(value));
  return text;
}

/// The partitions of the database at `paths`, 0 when there is none. Errors:
/// kInvalidArgument when it holds anything else.
Result<std::int32_t> count_partitions(const LogPaths& paths) {
  if (!std::filesystem::exists(paths.database / "CURRENT")) {
    return 0;
  }
  std::vector<std::string> names;
  const rocksdb::Status status = rocksdb::DB::ListColumnFamilies(
      rocksdb::DBOptions(), paths.database, &names);
  if (!status.ok()) {
    return rocks_error(status, "open embedded stream", paths.database);
  }
  const auto count = static_cast<std::int32_t>(names.size()) - 1;
  for (std::int32_t p = 0; p < count; ++p) {
    if (std::count(names.begin(), names.end(), partition_name(p)) != 1) {
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format(
              "{} holds a RocksDB database that is no embedded stream; name "
              "another folder",
              paths.database.string())};
    }
  }
  return count;
}

Status check_partitions(std::int32_t partitions) {
  if (partitions >= 1 && partitions <= kMostPartitions) {
    return ok_status();
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "an embedded stream has 1 to {} partitions, not {}",
          kMostPartitions,
          partitions)};
}

/// A partition keeps whole tables, of which the newest must fit: a table is at
/// most a quarter of what the partition keeps, and one record more.
Status check_retention(
    const LogWriterOptions& options,
    std::int32_t partitions) {
  const std::uint64_t least =
      2 * options.max_record_bytes * static_cast<std::uint64_t>(partitions);
  if (options.retention_bytes == 0 || options.retention_bytes >= least) {
    return ok_status();
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "a retention of {} bytes is too small: {} partitions with records "
          "of up to {} bytes need at least {}",
          options.retention_bytes,
          partitions,
          options.max_record_bytes,
          least)};
}

/// Opening writes: it must not meet a full disk either.
Status check_disk(const LogPaths& paths) {
  const auto free = free_bytes(paths.wal);
  if (!free.ok()) {
    return free.error();
  }
  if (free.value() >= kDiskReserveBytes) {
    return ok_status();
  }
  return Error{
      ErrorCode::kExhausted,
      fmt::format(
          "open embedded stream {}: {} bytes free, {} needed; make room",
          paths.database.string(),
          free.value(),
          kDiskReserveBytes)};
}

RetentionOptions retention_of(
    const LogWriterOptions& options,
    std::int32_t partitions) {
  RetentionOptions retention;
  retention.partition_bytes =
      options.retention_bytes / static_cast<std::uint64_t>(partitions);
  retention.age_seconds = options.retention_seconds;
  return retention;
}

}  // namespace

Result<std::unique_ptr<LogWriter>> LogWriter::open(
    const LogPaths& paths,
    const LogWriterOptions& options) {
  SWAVD_RETURN_IF_ERROR(check_partitions(options.partitions));
  SWAVD_RETURN_IF_ERROR(make_folders(paths.database.parent_path()));
  auto lock = FileLock::acquire(paths.lock);
  if (!lock.ok()) {
    return lock.error().with_context(
        "an embedded stream has one writing process");
  }
  // Not make_unique: the constructor is private.
  std::unique_ptr<LogWriter> writer(
      new LogWriter(std::move(lock).value(), paths));
  SWAVD_RETURN_IF_ERROR(make_folders(paths.wal));
  SWAVD_RETURN_IF_ERROR(check_disk(paths));
  SWAVD_RETURN_IF_ERROR(writer->open_tables(options));
  return writer;
}

Status LogWriter::open_tables(const LogWriterOptions& options) {
  const auto found = count_partitions(paths_);
  if (!found.ok()) {
    return found.error();
  }
  const bool absent = found.value() == 0;
  SWAVD_RETURN_IF_ERROR(
      open_with(absent ? options.partitions : found.value(), options));
  auto meta = tables_->read_meta();
  if (!meta.ok() && meta.error().code == ErrorCode::kNotFound) {
    // New, or an earlier writer died while making it: no record can be there.
    SWAVD_RETURN_IF_ERROR(
        open_with(std::max(options.partitions, found.value()), options));
    SWAVD_RETURN_IF_ERROR(make_stream());
    meta = tables_->read_meta();
  }
  return meta.ok() ? recover_offsets(meta.value()) : Status(meta.error());
}

Status LogWriter::open_with(
    std::int32_t partitions,
    const LogWriterOptions& options) {
  if (tables_ && tables_->partitions() == partitions) {
    return ok_status();
  }
  SWAVD_RETURN_IF_ERROR(check_retention(options, partitions));
  tables_.reset();
  const RetentionOptions retention = retention_of(options, partitions);
  batch_limit_ = std::min(kBatchBytes, table_bytes(retention.partition_bytes));
  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const rocksdb::Status status = rocksdb::DB::Open(
      writer_db_options(paths_, partitions, retention),
      paths_.database,
      log_families(partitions, retention),
      &handles,
      &db);
  if (!status.ok()) {
    return rocks_error(status, "open embedded stream", paths_.database);
  }
  tables_ = std::make_unique<LogTables>(
      std::unique_ptr<rocksdb::DB>(db), std::move(handles));
  return ok_status();
}

Status LogWriter::make_stream() {
  std::string count;
  append_u32_le(count, static_cast<std::uint32_t>(partitions()));
  rocksdb::WriteBatch batch;
  batch.Put(tables_->meta(), slice(kMetaFormat), slice(kLogFormat));
  batch.Put(tables_->meta(), slice(kMetaId), random_id());
  batch.Put(tables_->meta(), slice(kMetaPartitions), count);
  for (std::int32_t p = 0; p < partitions(); ++p) {
    batch.Put(tables_->meta(), durable_end_key(p), u64_text(0));
  }
  SWAVD_RETURN_IF_ERROR(write(batch, /*sync=*/true));
  return sync_folder(paths_.database.parent_path());
}

Status LogWriter::recover_offsets(const LogMeta& meta) {
  id_ = meta.id;
  marked_ = meta.durable_end;
  for (std::int32_t p = 0; p < meta.partitions; ++p) {
    const auto next =
        recover_next(p, meta.durable_end[static_cast<std::size_t>(p)]);
    if (!next.ok()) {
      return next.error();
    }
    next_.push_back(next.value());
  }
  // Opening has put the recovered logs into synced tables, so all that was
  // found is durable now, acknowledged before or not.
  return mark_durable();
}

Result<std::int64_t> LogWriter::recover_next(
    std::int32_t partition,
    std::int64_t durable_end) {
  const std::int64_t table_end = tables_->table_end(partition);
  std::int64_t next = std::max(durable_end, table_end);
  rocksdb::PinnableSlice value;
  while (true) {
    const auto found = tables_->find(partition, next, value);
    if (!found.ok()) {
      return found.error();
    }
    if (!found.value()) {
      break;
    }
    ++next;
  }
  if (table_end > 0 && table_end < durable_end && next == durable_end) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format(
            "{}: partition {} ends at offset {} but {} were acknowledged: the "
            "disk lost synced records; move the stream away and start anew",
            paths_.database.string(),
            partition,
            table_end,
            durable_end)};
  }
  return next;
}

Result<std::int64_t> LogWriter::first_offset(
    std::int32_t partition,
    std::int64_t if_empty) {
  const auto first = tables_->first_offset(partition);
  if (!first.ok()) {
    return first.error();
  }
  return first.value().value_or(if_empty);
}

std::uint64_t LogWriter::unflushed_bytes() {
  std::uint64_t bytes = 0;
  (void)tables_->db().GetAggregatedIntProperty(
      rocksdb::DB::Properties::kCurSizeAllMemTables, &bytes);
  return bytes;
}

Status LogWriter::append(std::span<const StoredRecord> records) {
  std::uint64_t bytes = 0;
  for (const StoredRecord& record : records) {
    bytes += record.bytes() + 32;
  }
  rocksdb::WriteBatch batch(bytes);
  std::vector<std::int64_t> next = next_;
  for (const StoredRecord& record : records) {
    const auto index = static_cast<std::size_t>(record.partition);
    const std::string key = u64_be(static_cast<std::uint64_t>(next[index]++));
    const rocksdb::Slice key_part(key);
    const std::array<rocksdb::Slice, 2> value_parts = {
        slice(record.head), slice(as_text(record.payload))};
    batch.Put(
        tables_->partition(record.partition),
        rocksdb::SliceParts(&key_part, 1),
        rocksdb::SliceParts(value_parts.data(), value_parts.size()));
  }
  SWAVD_RETURN_IF_ERROR(write(batch, /*sync=*/true));
  next_ = std::move(next);
  return ok_status();
}

Status LogWriter::mark_durable() {
  rocksdb::WriteBatch batch;
  for (std::size_t p = 0; p < next_.size(); ++p) {
    if (next_[p] != marked_[p]) {
      batch.Put(
          tables_->meta(),
          durable_end_key(static_cast<std::int32_t>(p)),
          u64_text(next_[p]));
    }
  }
  if (batch.Count() == 0) {
    return ok_status();
  }
  SWAVD_RETURN_IF_ERROR(write(batch, /*sync=*/false));
  marked_ = next_;
  return ok_status();
}

Status LogWriter::write(rocksdb::WriteBatch& batch, bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status status = tables_->db().Write(options, &batch);
  return status.ok() ? ok_status()
                     : Status(rocks_error(status, "write", paths_.database));
}

}  // namespace swavd::ingest
