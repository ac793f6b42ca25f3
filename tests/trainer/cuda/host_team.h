#pragma once

#include <barrier>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "trainer/cuda/host_device.h"

namespace swavd::trainer {

/// A team of one (trainer/cuda/host_device.h).
class SerialTeam {
 public:
  explicit SerialTeam(std::int64_t block) : block_(block) {}

  [[nodiscard]] std::int64_t block() const { return block_; }

  [[nodiscard]] static std::int64_t thread() { return 0; }

  [[nodiscard]] static std::int64_t size() { return 1; }

  [[nodiscard]] static float sum(float x) { return x; }

  [[nodiscard]] static double sum(double x) { return x; }

  [[nodiscard]] static float greatest(float x) { return x; }

 private:
  std::int64_t block_;
};

struct SerialLaunch {
  template <typename Functor>
  void operator()(std::int64_t blocks, const Functor& functor) const {
    for (std::int64_t block = 0; block < blocks; ++block) {
      SerialTeam team(block);
      functor(team);
    }
  }
};

/// A team of threads that meet only where a GPU's would: what a functor shares
/// without such a meeting is a race here, too.
class ThreadTeam {
 public:
  struct Shared {
    explicit Shared(std::int64_t threads)
        : meeting(threads),
          parts(static_cast<std::size_t>(threads)) {}

    std::barrier<> meeting;
    std::vector<double> parts;  ///< holds each float exactly
  };

  ThreadTeam(Shared& shared, std::int64_t block, std::int64_t thread)
      : shared_(shared),
        block_(block),
        thread_(thread) {}

  [[nodiscard]] std::int64_t block() const { return block_; }

  [[nodiscard]] std::int64_t thread() const { return thread_; }

  [[nodiscard]] std::int64_t size() const {
    return static_cast<std::int64_t>(shared_.parts.size());
  }

  template <typename T>
  [[nodiscard]] T sum(T x) {
    return join(x, [](T a, T b) { return a + b; });
  }

  [[nodiscard]] float greatest(float x) {
    return join(x, [](float a, float b) { return greater_of(a, b); });
  }

 private:
  template <typename T, typename Join>
  T join(T x, const Join& both) {
    shared_.parts[static_cast<std::size_t>(thread_)] = static_cast<double>(x);
    shared_.meeting.arrive_and_wait();
    auto whole = static_cast<T>(shared_.parts.front());
    for (std::size_t i = 1; i < shared_.parts.size(); ++i) {
      whole = both(whole, static_cast<T>(shared_.parts[i]));
    }
    shared_.meeting.arrive_and_wait();
    return whole;
  }

  Shared& shared_;
  std::int64_t block_;
  std::int64_t thread_;
};

struct ThreadLaunch {
  std::int64_t threads = 3;

  template <typename Functor>
  void operator()(std::int64_t blocks, const Functor& functor) const {
    ThreadTeam::Shared shared(threads);
    std::vector<std::jthread> running;
    for (std::int64_t thread = 0; thread < threads; ++thread) {
      running.emplace_back([&shared, &functor, blocks, thread] {
        for (std::int64_t block = 0; block < blocks; ++block) {
          ThreadTeam team(shared, block, thread);
          functor(team);
          shared.meeting.arrive_and_wait();  // all share the parts of a block
        }
      });
    }
  }
};

}  // namespace swavd::trainer
