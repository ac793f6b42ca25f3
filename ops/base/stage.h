#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <thread>

namespace swavd {

/// A named thread of the pipeline; all threads are started through it. Its
/// body ends when its queue closes or its stop token fires.
///
/// The destructor requests a stop and joins, so a Stage declared after what
/// it uses is always gone first.
class Stage {
 public:
  /// Starts `body` on a new thread named `name` (cut to 15 characters, as the
  /// kernel does). An exception out of `body` aborts the process.
  Stage(std::string name, std::function<void(std::stop_token)> body);

  Stage(Stage&&) noexcept = default;
  Stage& operator=(Stage&&) noexcept = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage() = default;

  /// Asks the body to end; does not wait.
  void request_stop() { thread_.request_stop(); }

  /// Waits until the body has returned. Idempotent.
  void join() {
    if (thread_.joinable()) {
      thread_.join();
    }
  }

 private:
  std::jthread thread_;
};

}  // namespace swavd
