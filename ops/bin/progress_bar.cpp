#include "ops/bin/progress_bar.h"

#include <algorithm>

#include <fmt/format.h>
#include <unistd.h>

namespace swavd::bin {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kQuiet{2000};
constexpr milliseconds kBetween{200};

std::string time_text(double seconds) {
  constexpr double kMinute = 60;
  constexpr double kHour = 3600;
  if (seconds < kMinute) {
    return fmt::format("{:.0f} s", seconds);
  }
  if (seconds < kHour) {
    return fmt::format("{:.0f} min", seconds / kMinute);
  }
  return fmt::format("{:.1f} h", seconds / kHour);
}

}  // namespace

std::string progress_text(
    std::uint64_t images,
    std::uint64_t of,
    std::chrono::duration<double> passed) {
  if (of == 0) {
    return fmt::format("{} images", images);
  }
  constexpr std::uint64_t kWidth = 30;
  constexpr std::uint64_t kPercent = 100;
  const std::uint64_t done = std::min(images, of);
  const auto full = static_cast<std::size_t>(kWidth * done / of);
  std::string left;
  if (done > 0) {
    left = fmt::format(
        "  {} left",
        time_text(
            passed.count() * static_cast<double>(of - done) /
            static_cast<double>(done)));
  }
  return fmt::format(
      "[{}{}] {:>3} %  {} of {}{}",
      std::string(full, '#'),
      std::string(kWidth - full, '.'),
      kPercent * done / of,
      done,
      of,
      left);
}

ProgressBar::ProgressBar(std::FILE* stream)
    : stream_(stream),
      terminal_(::isatty(::fileno(stream)) == 1),
      begun_(steady_clock::now()),
      next_(begun_ + kQuiet) {}

ProgressBar::~ProgressBar() {
  if (shown_) {
    std::fputs("\r\033[K", stream_);
    std::fflush(stream_);
  }
}

void ProgressBar::show(std::uint64_t images, std::uint64_t of) {
  const auto now = steady_clock::now();
  if (!terminal_ || now < next_) {
    return;
  }
  next_ = now + kBetween;
  shown_ = true;
  const std::string line = progress_text(images, of, now - begun_);
  std::fputs(("\r" + line + "\033[K").c_str(), stream_);
  std::fflush(stream_);
}

}  // namespace swavd::bin
