#include "ops/daemon/control.h"

namespace swavd::daemon {

template <typename Value>
void Control::change(Value Wishes::*wish, Value value) {
  {
    const MutexLock lock(mutex_);
    wishes_.*wish = value;
    ++changes_;
  }
  changed_.notify_all();
}

void Control::drain() {
  change(&Wishes::drain, true);
}

void Control::quit() {
  change(&Wishes::quit, true);
}

void Control::pause() {
  change(&Wishes::paused, true);
}

void Control::resume() {
  change(&Wishes::paused, false);
}

void Control::snapshot() {
  change(&Wishes::snapshot, true);
}

void Control::reload() {
  change(&Wishes::reload, true);
}

void Control::set_rate(double rate) {
  change(&Wishes::rate, std::optional(rate));
}

Control::Wishes Control::take() {
  const MutexLock lock(mutex_);
  const Wishes wishes = wishes_;
  wishes_.snapshot = false;
  wishes_.reload = false;
  wishes_.rate.reset();
  return wishes;
}

Control::Wishes Control::peek() const {
  const MutexLock lock(mutex_);
  return wishes_;
}

void Control::wait(std::chrono::milliseconds timeout) {
  const MutexLock lock(mutex_);
  const std::uint64_t before = changes_;
  (void)changed_.wait_for(
      mutex_, timeout, [this, before]() SWAVD_REQUIRES(mutex_) {
        return changes_ != before;
      });
}

}  // namespace swavd::daemon
