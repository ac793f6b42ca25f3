#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace swavd {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// How lines look: `kText` for people (and with the journal's level prefix
/// when stderr is the journal), `kJson` for machines.
enum class LogFormat { kText, kJson };

/// One name and its value in a log line.
struct LogField {
  std::string_view name;
  std::string value;
};

/// Sets what is written, and how. Call once at start, before threads log.
void configure_log(LogLevel least, LogFormat format);

/// Writes one line to stderr. `event` is a fixed word_with_underscores that
/// tools can search for; where a failure raises a counter, the same word
/// stands in its label. Thread-safe. Never waits for whoever reads stderr: when
/// a pipe or socket there is full for a tenth of a second, lines are left out
/// until it has room again; the next one then says how many.
void log(
    LogLevel level,
    std::string_view event,
    std::string_view message,
    std::initializer_list<LogField> fields = {});

/// Lines written so far per level, for the metric `log_messages_total`.
[[nodiscard]] std::uint64_t log_lines(LogLevel level);

/// Lines left out so far, for the metric `log_dropped_total`.
[[nodiscard]] std::uint64_t log_dropped();

}  // namespace swavd
