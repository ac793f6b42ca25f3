#include "ops/service/http/shared_pool.h"

#include <string>
#include <utility>

#include <httplib.h>

namespace swavd::service {

class SharedPool::Queue final : public httplib::TaskQueue {
 public:
  explicit Queue(BoundedQueue<std::function<void()>>& tasks) : tasks_(tasks) {}

  void enqueue(std::function<void()> task) override {
    {
      const MutexLock lock(mutex_);
      ++open_;
    }
    const bool taken = tasks_.push([this, task = std::move(task)] {
      task();
      finished();
    });
    if (!taken) {
      finished();
    }
  }

  void shutdown() override {
    const MutexLock lock(mutex_);
    idle_.wait(mutex_, [this]() SWAVD_REQUIRES(mutex_) { return open_ == 0; });
  }

 private:
  void finished() {
    // Notified under the lock: `shutdown` may destroy this object next.
    const MutexLock lock(mutex_);
    --open_;
    idle_.notify_all();
  }

  BoundedQueue<std::function<void()>>& tasks_;
  Mutex mutex_;
  CondVar idle_;
  std::size_t open_ SWAVD_GUARDED_BY(mutex_) = 0;
};

SharedPool::SharedPool(std::size_t threads, std::size_t waiting)
    : tasks_(waiting) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back(
        "web-" + std::to_string(i), [this](const std::stop_token&) {
          while (auto task = tasks_.pop()) {
            (*task)();
          }
        });
  }
}

SharedPool::~SharedPool() {
  tasks_.close();
}

std::unique_ptr<httplib::TaskQueue> SharedPool::queue() {
  return std::make_unique<Queue>(tasks_);
}

}  // namespace swavd::service
