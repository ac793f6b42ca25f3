// One fuzz target as libFuzzer wants it; SWAVD_FUZZ_TARGET is its name.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(
    const std::uint8_t* data,
    std::size_t size) {
  static const swavd::fuzz::Target& target =
      swavd::fuzz::target_of(SWAVD_FUZZ_TARGET);
  target.run({data, size});
  return 0;
}
