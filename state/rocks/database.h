#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include "ops/base/result.h"

namespace swavd::state {

/// What a RocksDB status means here: no space kExhausted, corruption
/// kCorruption, lock or shutdown kUnavailable, else kIo.
[[nodiscard]] Error rocks_error(
    const rocksdb::Status& status,
    const std::string& what);

/// How the tables of "snapshots" are made, by the writer and the readers:
/// megabytes a value, so neither cache nor compression; checksums on.
[[nodiscard]] rocksdb::ColumnFamilyOptions snapshot_table_options();

/// The local store's RocksDB with its two column families, "default" (pins,
/// numbers) and "snapshots". Thread-safe as RocksDB is. Shared, because
/// readers must be able to outlive the catalogue that opened them.
class Database {
 public:
  /// Opens for writing, creates when absent. Errors: kUnavailable (another
  /// process), kIo, kCorruption.
  [[nodiscard]] static Result<std::shared_ptr<Database>> open_primary(
      const std::filesystem::path& folder);

  /// Opens for reading beside a writer, with a scratch folder of its own
  /// under the system's temporary one. Errors: kNotFound, kIo, kCorruption.
  [[nodiscard]] static Result<std::shared_ptr<Database>> open_secondary(
      const std::filesystem::path& folder);

  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  /// Sees what the writer has published since; nothing to do for the writer.
  [[nodiscard]] Status catch_up();

  [[nodiscard]] rocksdb::DB& db() { return *db_; }

  [[nodiscard]] rocksdb::ColumnFamilyHandle* settings() { return handles_[0]; }

  [[nodiscard]] rocksdb::ColumnFamilyHandle* snapshots() { return handles_[1]; }

 private:
  Database() = default;

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;  ///< closed before db_
  std::filesystem::path scratch_;  ///< of a secondary; removed at the end
};

}  // namespace swavd::state
