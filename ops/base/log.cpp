#include "ops/base/log.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace swavd {

namespace {

constexpr std::array<std::string_view, 4> kNames = {
    "debug",
    "info",
    "warning",
    "error"};
// Priorities of syslog(3), which journald reads from a "<N>" prefix.
constexpr std::array<int, 4> kPriorities = {7, 6, 4, 3};

struct Logger {
  Logger() : out("swavd", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    out.set_pattern("%v");
    out.flush_on(spdlog::level::trace);
    journal = std::getenv("JOURNAL_STREAM") != nullptr;
  }

  spdlog::logger out;
  bool journal = false;
  LogLevel least = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  std::array<std::atomic<std::uint64_t>, 4> lines{};
};

Logger& logger() {
  static Logger instance;
  return instance;
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20U) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

/// Line breaks inside a value would forge log lines: crawled text gets here.
std::string one_line(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20U || c == 0x7f) {
      clean += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      clean.push_back(c);
    }
  }
  return clean;
}

std::string text_line(
    std::size_t level,
    std::string_view event,
    std::string_view message,
    std::initializer_list<LogField> fields) {
  std::string line =
      fmt::format("{:<7} {} {}", kNames[level], event, one_line(message));
  for (const LogField& field : fields) {
    line += fmt::format(" {}={}", field.name, one_line(field.value));
  }
  return line;
}

std::string json_line(
    std::size_t level,
    std::string_view event,
    std::string_view message,
    std::initializer_list<LogField> fields) {
  std::string line = fmt::format(
      R"({{"level":"{}","event":"{}","message":)", kNames[level], event);
  append_json_string(line, message);
  for (const LogField& field : fields) {
    line.push_back(',');
    append_json_string(line, field.name);
    line.push_back(':');
    append_json_string(line, field.value);
  }
  line.push_back('}');
  return line;
}

}  // namespace

void configure_log(LogLevel least, LogFormat format) {
  logger().least = least;
  logger().format = format;
}

void log(
    LogLevel level,
    std::string_view event,
    std::string_view message,
    std::initializer_list<LogField> fields) {
  Logger& self = logger();
  const auto index = static_cast<std::size_t>(level);
  self.lines[index].fetch_add(1, std::memory_order_relaxed);
  if (level < self.least) {
    return;
  }
  std::string line = self.format == LogFormat::kJson
                         ? json_line(index, event, message, fields)
                         : text_line(index, event, message, fields);
  if (self.journal && self.format == LogFormat::kText) {
    line = fmt::format("<{}>{}", kPriorities[index], line);
  }
  self.out.log(spdlog::level::info, spdlog::string_view_t(line));
}

std::uint64_t log_lines(LogLevel level) {
  return logger().lines[static_cast<std::size_t>(level)].load(
      std::memory_order_relaxed);
}

}  // namespace swavd
