#pragma once

#include <condition_variable>
#include <mutex>

// Clang's thread-safety analysis; nothing for other compilers.
#if defined(__clang__)
#define SWAVD_TSA(x) __attribute__((x))
#else
#define SWAVD_TSA(x)
#endif
#define SWAVD_GUARDED_BY(m) SWAVD_TSA(guarded_by(m))
#define SWAVD_REQUIRES(m) SWAVD_TSA(requires_capability(m))
#define SWAVD_EXCLUDES(m) SWAVD_TSA(locks_excluded(m))

namespace swavd {

/// std::mutex that Clang's thread-safety analysis understands.
class SWAVD_TSA(capability("mutex")) Mutex {
 public:
  void lock() SWAVD_TSA(acquire_capability()) { raw_.lock(); }

  void unlock() SWAVD_TSA(release_capability()) { raw_.unlock(); }

 private:
  std::mutex raw_;
};

/// Holds a Mutex for a scope.
class SWAVD_TSA(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) SWAVD_TSA(acquire_capability(mutex))
      : mutex_(mutex) {
    mutex_.lock();
  }

  ~MutexLock() SWAVD_TSA(release_capability()) { mutex_.unlock(); }

  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// Condition variable for Mutex. Every wait takes a predicate, so that a
/// wake-up without a reason changes nothing.
class CondVar {
 public:
  /// Releases `mutex`, sleeps until `ready()` holds, takes `mutex` again.
  template <typename Ready>
  void wait(Mutex& mutex, Ready ready) SWAVD_REQUIRES(mutex) {
    raw_.wait(mutex, ready);
  }

  /// As `wait`, for at most `timeout`. Returns what `ready()` gave last.
  template <typename Duration, typename Ready>
  [[nodiscard]] bool wait_for(Mutex& mutex, Duration timeout, Ready ready)
      SWAVD_REQUIRES(mutex) {
    return raw_.wait_for(mutex, timeout, ready);
  }

  void notify_one() { raw_.notify_one(); }

  void notify_all() { raw_.notify_all(); }

 private:
  std::condition_variable_any raw_;
};

}  // namespace swavd
