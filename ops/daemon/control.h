#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "ops/base/mutex.h"

namespace swavd::daemon {

/// What the main loop is asked to do, by signals, the admin socket or the
/// demo. Any thread asks; the main loop looks once an iteration. Thread-safe.
class Control {
 public:
  /// What is wanted now. One-shot wishes are cleared by taking them.
  struct Wishes {
    bool drain = false;     ///< stays set
    bool quit = false;      ///< stays set
    bool paused = false;    ///< stays set until `resume`
    bool snapshot = false;  ///< one-shot
    bool reload = false;    ///< one-shot
    /// One-shot: the learning rate to go on with, above 0.
    std::optional<double> rate;
  };

  void drain();
  void quit();  ///< end at once, without a snapshot
  void pause();
  void resume();
  void snapshot();
  void reload();
  void set_rate(double rate);

  [[nodiscard]] Wishes take();

  /// Looks without taking.
  [[nodiscard]] Wishes peek() const;

  /// Blocks until something is asked for or `timeout` passes.
  void wait(std::chrono::milliseconds timeout);

 private:
  template <typename Value>
  void change(Value Wishes::*wish, Value value);

  mutable Mutex mutex_;
  CondVar changed_;
  Wishes wishes_ SWAVD_GUARDED_BY(mutex_);
  std::uint64_t changes_ SWAVD_GUARDED_BY(mutex_) = 0;
};

}  // namespace swavd::daemon
