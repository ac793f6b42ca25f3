#include "state/rocks/database.h"

#include <cerrno>
#include <memory>
#include <system_error>

#include <rocksdb/convenience.h>
#include <rocksdb/table.h>
#include <stdlib.h>

#include "ops/base/files.h"
#include "ops/base/rocks_log.h"

namespace swavd::state {

namespace {

constexpr const char* kSnapshots = "snapshots";

rocksdb::DBOptions common_options() {
  rocksdb::DBOptions options;
  // Tables stay open, so a reader keeps what the writer has deleted since.
  options.max_open_files = -1;
  // Few tables: sixteen threads to open them would each serve one.
  options.max_file_opening_threads = 1;
  options.info_log = make_rocks_log("local_store_rocksdb");
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::DBOptions primary_options() {
  rocksdb::DBOptions options = common_options();
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  // A torn last record is an unfinished write; anything else that is wrong in
  // the log must be told, not silently taken as its end.
  options.wal_recovery_mode =
      rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> families() {
  rocksdb::ColumnFamilyOptions settings;
  settings.write_buffer_size = 1U << 20U;
  return {
      {rocksdb::kDefaultColumnFamilyName, settings},
      {kSnapshots, snapshot_table_options()}};
}

Result<std::filesystem::path> make_scratch() {
  std::error_code error;
  const auto base = std::filesystem::temp_directory_path(error);
  if (error) {
    return errno_error(error.value(), "find the temporary folder", "TMPDIR");
  }
  std::string path = (base / "swavd-reader-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) {
    return errno_error(errno, "create folder", path);
  }
  return std::filesystem::path(path);
}

}  // namespace

Error rocks_error(const rocksdb::Status& status, const std::string& what) {
  ErrorCode code = ErrorCode::kIo;
  if (status.IsNoSpace()) {
    code = ErrorCode::kExhausted;
  } else if (status.IsCorruption()) {
    code = ErrorCode::kCorruption;
  } else if (status.IsNotFound() || status.IsPathNotFound()) {
    code = ErrorCode::kNotFound;
  } else if (status.IsBusy() || status.IsTryAgain()) {
    code = ErrorCode::kUnavailable;
  }
  return Error{code, what + ": " + status.ToString()};
}

rocksdb::ColumnFamilyOptions snapshot_table_options() {
  rocksdb::ColumnFamilyOptions options;
  options.compression = rocksdb::kNoCompression;
  // Holds a tombstone now and then; but the log sets aside a tenth more than
  // this on the disk whenever it is opened, and the default is 64 MiB.
  options.write_buffer_size = 1U << 20U;
  // One snapshot is one table from its commit to its drop: never rewritten.
  options.disable_auto_compactions = true;
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

Result<std::shared_ptr<Database>> Database::open_primary(
    const std::filesystem::path& folder) {
  std::shared_ptr<Database> self(new Database());
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(
      primary_options(), folder.string(), families(), &self->handles_, &raw);
  self->db_.reset(raw);
  if (!status.ok()) {
    const Error error =
        rocks_error(status, "open the local store " + folder.string());
    return error.code == ErrorCode::kCorruption
               ? error.with_context(
                     "move the folder aside and start again from the object "
                     "store")
               : error;
  }
  return self;
}

Result<std::shared_ptr<Database>> Database::open_secondary(
    const std::filesystem::path& folder) {
  auto scratch = make_scratch();
  if (!scratch.ok()) {
    return scratch.error();
  }
  std::shared_ptr<Database> self(new Database());
  self->scratch_ = scratch.value();
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenAsSecondary(
      common_options(),
      folder.string(),
      self->scratch_.string(),
      families(),
      &self->handles_,
      &raw);
  self->db_.reset(raw);
  if (!status.ok()) {
    return rocks_error(
        status, "open the local store " + folder.string() + " for reading");
  }
  return self;
}

Database::~Database() {
  if (db_ != nullptr) {
    for (rocksdb::ColumnFamilyHandle* handle : handles_) {
      (void)db_->DestroyColumnFamilyHandle(handle);
    }
    (void)db_->Close();
    db_.reset();
  }
  if (!scratch_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(scratch_, ignored);
  }
}

Status Database::catch_up() {
  if (scratch_.empty()) {
    return ok_status();
  }
  const rocksdb::Status status = db_->TryCatchUpWithPrimary();
  if (!status.ok()) {
    return rocks_error(status, "follow the writer of " + db_->GetName());
  }
  return ok_status();
}

}  // namespace swavd::state
