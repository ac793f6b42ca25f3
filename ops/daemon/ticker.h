#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "ops/base/mutex.h"
#include "ops/base/stage.h"

namespace swavd::daemon {

/// Runs `work` at once and then every `period` on a thread of its own until
/// destroyed.
class Ticker {
 public:
  Ticker(
      std::string name,
      std::chrono::milliseconds period,
      std::function<void()> work);

 private:
  Mutex mutex_;
  CondVar changed_;
  Stage stage_;
};

}  // namespace swavd::daemon
