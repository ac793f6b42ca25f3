#include "ops/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace swavd {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "swavd: bug: %s:%d: %s\n", file, line, condition);
  std::abort();
}

}  // namespace swavd
