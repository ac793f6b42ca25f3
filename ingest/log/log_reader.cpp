#include "ingest/log/log_reader.h"

#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include "ingest/log/envelope.h"
#include "ingest/log/log_options.h"

namespace swavd::ingest {

namespace {

constexpr int kMostPasses = 20;

Error no_such_stream(const LogPaths& paths) {
  return {
      ErrorCode::kNotFound,
      fmt::format(
          "no embedded stream at {}; it is made by whoever writes it first "
          "(swavd-crawl run, or swavd-crawl push --to log://{})",
          paths.database.string(),
          paths.database.string())};
}

/// 0 when nothing is there.
std::uint64_t inode_of(const std::filesystem::path& path) {
  struct stat info {};

  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

Result<std::int32_t> listed_partitions(const LogPaths& paths) {
  if (!std::filesystem::exists(paths.database / "CURRENT") ||
      !std::filesystem::exists(paths.wal)) {
    return no_such_stream(paths);
  }
  std::vector<std::string> names;
  const rocksdb::Status status = rocksdb::DB::ListColumnFamilies(
      rocksdb::DBOptions(), paths.database, &names);
  if (!status.ok()) {
    return rocks_error(status, "open embedded stream", paths.database);
  }
  return static_cast<std::int32_t>(names.size()) - 1;
}

}  // namespace

LogReader::LogReader(
    std::filesystem::path path,
    std::unique_ptr<LogTables> tables)
    : path_(std::move(path)),
      inode_(inode_of(path_)),
      tables_(std::move(tables)) {}

Result<std::unique_ptr<LogReader>> LogReader::open(const LogPaths& paths) {
  raise_open_file_limit();
  auto count = listed_partitions(paths);
  while (true) {
    if (!count.ok()) {
      return count.error();
    }
    auto reader = open_with(paths, count.value());
    if (reader.ok()) {
      return reader;
    }
    // A writer that is making the stream adds its partitions one by one.
    auto again = listed_partitions(paths);
    if (again.ok() && again.value() == count.value()) {
      return reader;
    }
    count = std::move(again);
  }
}

Result<std::unique_ptr<LogReader>> LogReader::open_with(
    const LogPaths& paths,
    std::int32_t partitions) {
  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  // With a logger of its own a secondary puts nothing into its folder.
  const rocksdb::Status status = rocksdb::DB::OpenAsSecondary(
      reader_db_options(paths),
      paths.database,
      paths.readers,
      log_families(partitions, RetentionOptions()),
      &handles,
      &db);
  if (!status.ok()) {
    return rocks_error(status, "open embedded stream", paths.database);
  }
  auto tables = std::make_unique<LogTables>(
      std::unique_ptr<rocksdb::DB>(db), std::move(handles));
  // Not make_unique: the constructor is private.
  std::unique_ptr<LogReader> reader(
      new LogReader(paths.database, std::move(tables)));
  auto meta = reader->tables_->read_meta();
  if (!meta.ok()) {
    return meta.error().code == ErrorCode::kNotFound ? no_such_stream(paths)
                                                     : meta.error();
  }
  reader->meta_ = std::move(meta).value();
  return reader;
}

Status LogReader::catch_up() {
  // The files of a removed folder can still be read, but never change.
  if (inode_of(path_) != inode_) {
    return Error{
        ErrorCode::kIo,
        fmt::format("{}: the stream was removed or replaced", path_.string())};
  }
  const rocksdb::Status status = tables_->db().TryCatchUpWithPrimary();
  if (!status.ok()) {
    return rocks_error(status, "follow the writer of", path_);
  }
  auto meta = tables_->read_meta();
  if (!meta.ok()) {
    return meta.error();
  }
  meta_ = std::move(meta).value();
  return ok_status();
}

Status LogReader::settle() {
  SWAVD_RETURN_IF_ERROR(catch_up());
  auto before = first_offsets();
  for (int pass = 0; before.ok() && pass < kMostPasses; ++pass) {
    SWAVD_RETURN_IF_ERROR(catch_up());
    auto now = first_offsets();
    if (now.ok() && now.value() == before.value()) {
      return ok_status();
    }
    before = std::move(now);
  }
  return before.ok() ? Status(Error{
                           ErrorCode::kUnavailable,
                           fmt::format(
                               "{}: retention moves faster than it can be "
                               "read",
                               path_.string())})
                     : Status(before.error());
}

Result<std::vector<std::int64_t>> LogReader::first_offsets() {
  std::vector<std::int64_t> firsts;
  for (std::int32_t p = 0; p < partitions(); ++p) {
    const auto first = first_offset(p);
    if (!first.ok()) {
      return first.error();
    }
    firsts.push_back(first.value());
  }
  return firsts;
}

Result<std::int64_t> LogReader::first_offset(std::int32_t partition) {
  const auto first = tables_->first_offset(partition);
  if (!first.ok()) {
    return first.error();
  }
  return first.value().value_or(durable_end(partition));
}

Result<bool> LogReader::exists(std::int32_t partition, std::int64_t offset) {
  rocksdb::PinnableSlice value;
  return tables_->find(partition, offset, value);
}

Result<std::optional<Record>> LogReader::read(
    std::int32_t partition,
    std::int64_t offset) {
  rocksdb::PinnableSlice value;
  const auto found = tables_->find(partition, offset, value);
  if (!found.ok()) {
    return found.error();
  }
  if (!found.value()) {
    return std::optional<Record>();
  }
  auto record = decode_record(value.ToStringView());
  if (!record.ok()) {
    return record.error().with_context(
        fmt::format("{}/{}/{}", path_.string(), partition, offset));
  }
  record.value().address.partition = partition;
  record.value().address.offset = offset;
  return std::optional<Record>(std::move(record).value());
}

}  // namespace swavd::ingest
