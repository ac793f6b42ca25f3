#pragma once

#include <memory>
#include <string>

namespace rocksdb {
class Logger;
}  // namespace rocksdb

namespace swavd {

/// A logger for `DBOptions::info_log`: passes RocksDB's errors on to our log
/// under `event`, its warnings as debug lines. It takes the place of the file
/// "LOG", which a database must not have: where RocksDB is built with
/// assertions, as on Debian, the first line after one that could not be written
/// ends the process. Thread-safe.
[[nodiscard]] std::shared_ptr<rocksdb::Logger> make_rocks_log(
    std::string event);

}  // namespace swavd
