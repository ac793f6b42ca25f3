#include "ops/daemon/ticker.h"

#include <stop_token>
#include <utility>

namespace swavd::daemon {

Ticker::Ticker(
    std::string name,
    std::chrono::milliseconds period,
    std::function<void()> work)
    : stage_(
          std::move(name),
          [this, period, work = std::move(work)](const std::stop_token& stop) {
            const std::stop_callback wake(stop, [this] {
              const MutexLock lock(mutex_);  // else it could come too early
              changed_.notify_all();
            });
            while (!stop.stop_requested()) {
              work();
              const MutexLock lock(mutex_);
              (void)changed_.wait_for(
                  mutex_, period, [&stop] { return stop.stop_requested(); });
            }
          }) {}

}  // namespace swavd::daemon
