#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "ops/base/bounded_queue.h"
#include "ops/base/mutex.h"
#include "ops/base/stage.h"

namespace httplib {
class TaskQueue;
}  // namespace httplib

namespace swavd::service {

/// Threads that several httplib servers share: a server of its own would
/// bring at least one thread each that mostly sleeps.
class SharedPool {
 public:
  /// `threads`: at least 1. Connections beyond `waiting` are accepted later.
  SharedPool(std::size_t threads, std::size_t waiting);
  SharedPool(const SharedPool&) = delete;
  SharedPool& operator=(const SharedPool&) = delete;
  ~SharedPool();

  /// A queue for one server, to be owned by it; its `shutdown` waits for
  /// what that server enqueued. The pool must outlive it.
  [[nodiscard]] std::unique_ptr<httplib::TaskQueue> queue();

 private:
  class Queue;

  BoundedQueue<std::function<void()>> tasks_;
  std::vector<Stage> threads_;
};

}  // namespace swavd::service
