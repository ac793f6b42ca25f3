#include "trainer/openmp_policy.h"

#include <cstdlib>

#include <unistd.h>

namespace swavd::trainer {

void prefer_sleeping_threads(char** argv) {
#ifdef SWAVD_HAS_TORCH
  constexpr const char* kSpinCount = "GOMP_SPINCOUNT";
  // NOLINTBEGIN(concurrency-mt-unsafe): no thread runs yet
  if (std::getenv("OMP_WAIT_POLICY") == nullptr &&
      std::getenv(kSpinCount) == nullptr &&
      ::setenv(kSpinCount, "5000", /*overwrite=*/0) == 0) {
    ::execv("/proc/self/exe", argv);  // returns only when it fails
  }
  // NOLINTEND(concurrency-mt-unsafe)
#else
  static_cast<void>(argv);
#endif
}

}  // namespace swavd::trainer
