#include "ops/base/rocks_log.h"

#include <cstdarg>
#include <cstdio>
#include <string_view>
#include <utility>

#include <rocksdb/env.h>

#include "ops/base/log.h"

namespace swavd {

namespace {

class RocksLog final : public rocksdb::Logger {
 public:
  explicit RocksLog(std::string event)
      : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL),
        event_(std::move(event)) {}

  using rocksdb::Logger::Logv;

  void Logv(const char* format, va_list arguments) override {
    write(LogLevel::kWarning, format, arguments);
  }

  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments)
      override {
    if (level == rocksdb::InfoLogLevel::ERROR_LEVEL ||
        level == rocksdb::InfoLogLevel::FATAL_LEVEL) {
      write(LogLevel::kError, format, arguments);
    } else if (level == rocksdb::InfoLogLevel::WARN_LEVEL) {
      write(LogLevel::kDebug, format, arguments);
    }
  }

 private:
  void write(LogLevel level, const char* format, va_list arguments) const {
    char text[1024];
    (void)std::vsnprintf(text, sizeof text, format, arguments);
    std::string_view line(text);
    while (line.ends_with('\n')) {
      line.remove_suffix(1);  // some of its messages bring their own
    }
    log(level, event_, line);
  }

  const std::string event_;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> make_rocks_log(std::string event) {
  return std::make_shared<RocksLog>(std::move(event));
}

}  // namespace swavd
