#pragma once

#include <cstdint>
#include <string>

#include "ops/base/result.h"
#include "ops/service/config.h"
#include "trainer/trainer.h"

namespace swavd::daemon {

struct GalleryOptions {
  std::uint64_t images = 2000;  ///< of PATH, at most
  std::int32_t rows = 12;       ///< prototypes, the busiest first
  std::int32_t columns = 12;    ///< images a prototype
};

/// Writes a PNG picture: for each of the busiest prototypes a row of images
/// (centre crops) of PATH that chose it. Errors: those of the path, kIo.
[[nodiscard]] Status write_gallery(
    trainer::Trainer& trainer,
    const service::Config& config,
    const std::string& path,
    const std::string& picture,
    const GalleryOptions& options);

}  // namespace swavd::daemon
