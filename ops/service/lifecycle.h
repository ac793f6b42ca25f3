#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "ops/base/result.h"

namespace swavd::service {

/// States of a daemon; `to_string` gives the metric's label.
enum class State {
  kStarting,
  kRestoring,
  kTraining,
  kPaused,
  kDraining,
  kDegraded,
};

[[nodiscard]] std::string_view to_string(State state);
inline constexpr int kStates = 6;

/// What signals and the admin socket ask of the main loop.
enum class Request { kNone, kDrain, kQuit, kReload };

/// Turns signals into requests: SIGTERM and SIGINT drain, a second one quits,
/// SIGHUP reloads. Blocks these signals in the calling thread, so construct
/// it before any other thread starts; a thread of its own waits for them.
class Signals {
 public:
  /// `on_request` is called from the signal thread.
  explicit Signals(std::function<void(Request)> on_request);
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  /// Ends the thread. Restores the signal mask when the destroying thread is
  /// the constructing one.
  ~Signals();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The sd_notify protocol (sd_notify(3)) over $NOTIFY_SOCKET; does nothing
/// without one. A message that cannot be sent is logged once. Thread-safe;
/// a service manager that does not read blocks a call for a second at most.
class ServiceManager {
 public:
  /// Reads $NOTIFY_SOCKET: a path, or "@NAME" in the abstract namespace.
  ServiceManager();

  void ready(std::string_view status) const;
  void status(std::string_view text) const;
  void stopping(std::string_view status) const;
  /// Follow it by `ready` when the reload is done.
  void reloading() const;

  /// Tells that progress was made; call it from the loop that makes it.
  void watchdog_ping() const;

  /// Asks for more time while restoring or draining.
  void extend_timeout(std::chrono::microseconds more) const;

 private:
  void send(const std::string& message) const;

  std::string socket_;
  mutable std::atomic_flag failed_;
};

}  // namespace swavd::service
