#include "ingest/log/log_tables.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>
#include <rocksdb/metadata.h>

#include "ingest/log/wire.h"
#include "ops/base/bytes.h"

namespace swavd::ingest {

namespace {

std::int64_t offset_of(std::string_view key) {
  return static_cast<std::int64_t>(load_u64_be(key));
}

rocksdb::ReadOptions record_read_options() {
  rocksdb::ReadOptions options;
  options.verify_checksums = true;
  return options;
}

ErrorCode code_of(const rocksdb::Status& status) {
  if (status.IsNotFound() || status.IsPathNotFound()) {
    return ErrorCode::kNotFound;
  }
  if (status.IsCorruption()) {
    return ErrorCode::kCorruption;
  }
  if (status.IsNoSpace()) {
    return ErrorCode::kExhausted;
  }
  return status.IsBusy() ? ErrorCode::kUnavailable : ErrorCode::kIo;
}

}  // namespace

std::string durable_end_key(std::int32_t partition) {
  return fmt::format("durable_end/{}", partition);
}

std::string partition_name(std::int32_t partition) {
  return fmt::format("p{}", partition);
}

Error rocks_error(
    const rocksdb::Status& status,
    std::string_view what,
    const std::filesystem::path& path) {
  return {
      code_of(status),
      fmt::format("{} {}: {}", what, path.string(), status.ToString())};
}

LogTables::LogTables(
    std::unique_ptr<rocksdb::DB> db,
    std::vector<rocksdb::ColumnFamilyHandle*> handles)
    : db_(std::move(db)),
      handles_(std::move(handles)) {}

LogTables::~LogTables() {
  for (rocksdb::ColumnFamilyHandle* handle : handles_) {
    (void)db_->DestroyColumnFamilyHandle(handle);
  }
}

Result<std::string> LogTables::read_meta_value(std::string_view key) {
  std::string value;
  const rocksdb::Status status = db_->Get(
      record_read_options(),
      meta(),
      rocksdb::Slice(key.data(), key.size()),
      &value);
  if (!status.ok()) {
    return rocks_error(status, fmt::format("read {} of", key), db_->GetName());
  }
  return value;
}

Result<LogMeta> LogTables::read_meta() {
  const auto format = read_meta_value(kMetaFormat);
  if (!format.ok()) {
    return format.error();
  }
  const auto id = read_meta_value(kMetaId);
  const auto count_text = read_meta_value(kMetaPartitions);
  const auto count = count_text.ok() ? WireReader(count_text.value()).u32()
                                     : std::optional<std::uint32_t>();
  LogMeta meta;
  if (format.value() != kLogFormat || !id.ok() || !count ||
      *count != static_cast<std::uint32_t>(partitions())) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format(
            "{}: format \"{}\" with {} column families is not an embedded "
            "stream that this program reads ({})",
            db_->GetName(),
            format.value(),
            partitions(),
            kLogFormat)};
  }
  meta.id = id.value();
  meta.partitions = partitions();
  for (std::int32_t p = 0; p < meta.partitions; ++p) {
    const auto end = read_meta_value(durable_end_key(p));
    if (!end.ok()) {
      return end.error();
    }
    meta.durable_end.push_back(
        static_cast<std::int64_t>(WireReader(end.value()).u64().value_or(0)));
  }
  return meta;
}

Result<bool> LogTables::find(
    std::int32_t partition_index,
    std::int64_t offset,
    rocksdb::PinnableSlice& value) {
  value.Reset();
  const rocksdb::Status status = db_->Get(
      record_read_options(),
      partition(partition_index),
      u64_be(static_cast<std::uint64_t>(offset)),
      &value);
  if (status.ok() || status.IsNotFound()) {
    return status.ok();
  }
  return rocks_error(
      status,
      fmt::format("read partition {} offset {} of", partition_index, offset),
      db_->GetName());
}

Result<std::optional<std::int64_t>> LogTables::first_offset(
    std::int32_t partition_index) {
  rocksdb::ColumnFamilyMetaData data;
  db_->GetColumnFamilyMetaData(partition(partition_index), &data);
  std::optional<std::int64_t> first;
  for (const auto& level : data.levels) {
    for (const auto& file : level.files) {
      const std::int64_t smallest = offset_of(file.smallestkey);
      first = std::min(first.value_or(smallest), smallest);
    }
  }
  // Offsets only grow, so what is in memory lies above every table.
  return first ? first : first_in_memory(partition_index);
}

Result<std::optional<std::int64_t>> LogTables::first_in_memory(
    std::int32_t partition_index) {
  const std::unique_ptr<rocksdb::Iterator> keys(
      db_->NewIterator(record_read_options(), partition(partition_index)));
  keys->SeekToFirst();
  if (keys->Valid()) {
    return std::optional(offset_of(keys->key().ToStringView()));
  }
  if (!keys->status().ok()) {
    return rocks_error(keys->status(), "read the start of", db_->GetName());
  }
  return std::optional<std::int64_t>();
}

std::int64_t LogTables::table_end(std::int32_t partition_index) {
  rocksdb::ColumnFamilyMetaData data;
  db_->GetColumnFamilyMetaData(partition(partition_index), &data);
  std::int64_t end = 0;
  for (const auto& level : data.levels) {
    for (const auto& file : level.files) {
      end = std::max(end, offset_of(file.largestkey) + 1);
    }
  }
  return end;
}

}  // namespace swavd::ingest
