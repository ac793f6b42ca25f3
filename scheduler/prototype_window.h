#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace swavd::scheduler {

/// How the prototypes were used by the last images.
struct PrototypeUse {
  std::int64_t used = 0;    ///< chosen by at least one image
  double perplexity = 0;    ///< exp(entropy of the choices), 1 … K
  std::int64_t images = 0;  ///< in the window
};

/// Counts which prototype each of the last `window` images chose.
/// Not thread-safe.
class PrototypeWindow {
 public:
  /// `prototypes`: K, at least 1. `window`: images, at least 1.
  PrototypeWindow(std::int64_t prototypes, std::int64_t window);

  /// Adds the choices of a batch; each in [0, K).
  void add(std::span<const std::int32_t> choices);

  [[nodiscard]] PrototypeUse use() const;

 private:
  std::vector<std::int64_t> counts_;
  std::vector<std::int32_t> ring_;
  std::size_t next_ = 0;
  std::size_t filled_ = 0;
};

}  // namespace swavd::scheduler
