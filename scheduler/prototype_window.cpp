#include "scheduler/prototype_window.h"

#include <cmath>

namespace swavd::scheduler {

PrototypeWindow::PrototypeWindow(std::int64_t prototypes, std::int64_t window)
    : counts_(static_cast<std::size_t>(prototypes), 0),
      ring_(static_cast<std::size_t>(window), 0) {}

void PrototypeWindow::add(std::span<const std::int32_t> choices) {
  for (const std::int32_t choice : choices) {
    if (filled_ == ring_.size()) {
      --counts_[static_cast<std::size_t>(ring_[next_])];
    } else {
      ++filled_;
    }
    ring_[next_] = choice;
    ++counts_[static_cast<std::size_t>(choice)];
    next_ = (next_ + 1) % ring_.size();
  }
}

PrototypeUse PrototypeWindow::use() const {
  PrototypeUse use;
  use.images = static_cast<std::int64_t>(filled_);
  double entropy = 0;
  for (const std::int64_t count : counts_) {
    if (count > 0) {
      ++use.used;
      const double share =
          static_cast<double>(count) / static_cast<double>(filled_);
      entropy -= share * std::log(share);
    }
  }
  use.perplexity = filled_ > 0 ? std::exp(entropy) : 0.0;
  return use;
}

}  // namespace swavd::scheduler
