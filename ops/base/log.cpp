#include "ops/base/log.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "ops/base/mutex.h"

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
  std::atomic<std::uint64_t> dropped{0};
  /// From asking for room to having written, lest another thread takes it.
  Mutex mutex;
  std::uint64_t dropped_since SWAVD_GUARDED_BY(mutex) = 0;  ///< the last line
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

/// What one call of `log` was given.
struct Entry {
  LogLevel level;
  std::string_view event;
  std::string_view message;
  std::span<const LogField> fields;

  [[nodiscard]] std::size_t index() const {
    return static_cast<std::size_t>(level);
  }
};

std::string text_line(const Entry& entry) {
  std::string line = fmt::format(
      "{:<7} {} {}",
      kNames[entry.index()],
      entry.event,
      one_line(entry.message));
  for (const LogField& field : entry.fields) {
    line += fmt::format(" {}={}", field.name, one_line(field.value));
  }
  return line;
}

std::string json_line(const Entry& entry) {
  std::string line = fmt::format(
      R"({{"level":"{}","event":"{}","message":)",
      kNames[entry.index()],
      entry.event);
  append_json_string(line, entry.message);
  for (const LogField& field : entry.fields) {
    line.push_back(',');
    append_json_string(line, field.name);
    line.push_back(':');
    append_json_string(line, field.value);
  }
  line.push_back('}');
  return line;
}

/// A line that is no longer than this fits whenever a pipe or a socket says
/// that it has room (PIPE_BUF, pipe(7)).
constexpr std::size_t kLongestLine = 4095;
/// What of it the texts may take; the rest is for names.
constexpr std::size_t kLongestText = 3500;

/// Whether stderr takes a line. Only the first that finds it full waits.
bool has_room(bool patient) {
  constexpr int kPatienceMs = 100;
  pollfd room{STDERR_FILENO, POLLOUT, 0};
  return ::poll(&room, 1, patient ? kPatienceMs : 0) != 0;
}

std::string formatted(const Logger& self, const Entry& entry) {
  if (self.format == LogFormat::kJson) {
    return json_line(entry);
  }
  const std::string line = text_line(entry);
  return self.journal ? fmt::format("<{}>{}", kPriorities[entry.index()], line)
                      : line;
}

/// At most `bytes` of `text`, not ending in the middle of a character.
std::string cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) {
    return std::string(text);
  }
  while (bytes > 0 &&
         (static_cast<unsigned char>(text[bytes]) & 0xc0U) == 0x80U) {
    --bytes;
  }
  return std::string(text.substr(0, bytes)) + " [cut]";
}

/// As `formatted`, at most `kLongestLine` long: if need be with texts cut
/// short.
std::string fitting_line(const Logger& self, const Entry& entry) {
  std::string line = formatted(self, entry);
  if (line.size() <= kLongestLine) {
    return line;
  }
  constexpr std::size_t kLongestEscape = 6;  // "\u001f"
  const std::size_t share =
      kLongestText / kLongestEscape / (entry.fields.size() + 1);
  std::vector<LogField> fields(entry.fields.begin(), entry.fields.end());
  for (LogField& field : fields) {
    field.value = cut(field.value, share);
  }
  const std::string message = cut(entry.message, share);
  return formatted(self, {entry.level, entry.event, message, fields});
}

void write_or_drop(Logger& self, const std::string& line) {
  const auto write = [&self](const std::string& text) {
    self.out.log(spdlog::level::info, spdlog::string_view_t(text));
  };
  const MutexLock lock(self.mutex);
  if (self.dropped_since > 0 && has_room(/*patient=*/false)) {
    const std::array fields = {
        LogField{"lines", std::to_string(self.dropped_since)}};
    self.dropped_since = 0;
    write(formatted(
        self,
        {LogLevel::kWarning,
         "log_lines_dropped",
         "nobody read the log: lines were left out",
         fields}));
  }
  if (has_room(/*patient=*/self.dropped_since == 0)) {
    write(line);
  } else {
    ++self.dropped_since;
    self.dropped.fetch_add(1, std::memory_order_relaxed);
  }
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
  const Entry entry{level, event, message, {fields.begin(), fields.size()}};
  self.lines[entry.index()].fetch_add(1, std::memory_order_relaxed);
  if (level >= self.least) {
    write_or_drop(self, fitting_line(self, entry));
  }
}

std::uint64_t log_lines(LogLevel level) {
  return logger().lines[static_cast<std::size_t>(level)].load(
      std::memory_order_relaxed);
}

std::uint64_t log_dropped() {
  return logger().dropped.load(std::memory_order_relaxed);
}

}  // namespace swavd
