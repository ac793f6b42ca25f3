#include "ops/service/net/wake.h"

#include <cstdint>

#include <sys/eventfd.h>
#include <unistd.h>

#include "ops/base/check.h"

namespace swavd::service {

Wake::Wake() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  SWAVD_CHECK(descriptor_ >= 0);
}

Wake::~Wake() {
  ::close(descriptor_);
}

void Wake::wake() const {
  const std::uint64_t one = 1;
  // Can fail only when the counter is full, and then it is readable already.
  [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof one);
}

}  // namespace swavd::service
