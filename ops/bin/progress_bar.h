#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace swavd::bin {

/// The line of a progress bar, at most 78 characters: a bar with the share and
/// the time left, or the count alone where `of` is 0 (not known).
[[nodiscard]] std::string progress_text(
    std::uint64_t images,
    std::uint64_t of,
    std::chrono::duration<double> passed);

/// A progress bar on a terminal: nothing in the first two seconds, then a line
/// that is rewritten five times a second at most and gone with this object.
/// Writes nothing to a stream that is no terminal.
class ProgressBar {
 public:
  explicit ProgressBar(std::FILE* stream = stderr);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar();

  void show(std::uint64_t images, std::uint64_t of);

 private:
  std::FILE* stream_;
  bool terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point begun_;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace swavd::bin
