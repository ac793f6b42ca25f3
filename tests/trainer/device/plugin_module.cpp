// A plugin that can be opened: the emulated device, or one that is refused for
// what SWAVD_FAKE_ABI or SWAVD_FAKE_BUILD says of it.
#include "tests/trainer/device/emulated_plugin.h"

extern "C" __attribute__((visibility("default")))
const swavd::trainer::CudaPlugin*
swavd_cuda_plugin() {
  static const swavd::trainer::CudaPlugin plugin = [] {
    swavd::trainer::CudaPlugin made = swavd::trainer::emulated_plugin();
#ifdef SWAVD_FAKE_ABI
    made.abi = SWAVD_FAKE_ABI;
#endif
#ifdef SWAVD_FAKE_BUILD
    made.build = SWAVD_FAKE_BUILD;
#endif
    return made;
  }();
  return &plugin;
}
