#include "trainer/openmp_policy.h"

#include <cstdlib>

#include <unistd.h>

namespace swavd::trainer {

void prefer_sleeping_threads(char** argv) {
#ifdef SWAVD_HAS_TORCH
  constexpr const char* kVariable = "OMP_WAIT_POLICY";
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread runs yet
  if (std::getenv(kVariable) == nullptr &&
      ::setenv(kVariable, "passive", /*overwrite=*/0) == 0) {
    ::execv("/proc/self/exe", argv);  // returns only when it fails
  }
#else
  static_cast<void>(argv);
#endif
}

}  // namespace swavd::trainer
