#pragma once

#include <cstdint>
#include <string>

#include "ops/base/result.h"

namespace swavd::daemon {

struct DemoOptions {
  std::string images;  ///< PATH; empty: the tuxpaint stamps
  std::string test;    ///< PATH for kNN; empty: every fifth of `images`
  std::string preset = "tiny";
  std::uint64_t stop_after_images = 0;  ///< 0: what `kDemoImages` says
  std::string data_dir = "swavd-demo";
  bool fresh = false;  ///< removes what an earlier demo left in `data_dir`
  std::string listen = "127.0.0.1:9464";
};

/// Where Debian's package of demo pictures puts them.
inline constexpr const char* kDemoPictures = "/usr/share/tuxpaint/stamps";

/// The whole main job on one machine: a web on loopback, the crawler, the
/// embedded stream, the daemon, evaluation before and after. Prints to
/// stdout. Errors: those of the parts.
[[nodiscard]] Status run_demo(const DemoOptions& options);

}  // namespace swavd::daemon
