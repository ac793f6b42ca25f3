#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ops/base/result.h"
#include "ops/service/config.h"
#include "trainer/trainer.h"

namespace swavd::daemon {

struct GalleryOptions {
  std::uint64_t images = 2000;  ///< of PATH, at most
  std::int32_t rows = 12;       ///< prototypes, the busiest first
  std::int32_t columns = 12;    ///< images a prototype
};

/// The picture of a set of prototypes, counted from 0, in a data folder:
/// "gallery.png" of the first, "gallery.1.png" of the second.
[[nodiscard]] std::string gallery_file(
    const std::string& folder,
    std::size_t set);

/// Writes a PNG picture for each set of prototypes: for each of its busiest a
/// row of images (centre crops) of PATH that chose it. Gives the files, in the
/// order of the sets. Errors: those of the path, kIo.
[[nodiscard]] Result<std::vector<std::string>> write_galleries(
    trainer::Trainer& trainer,
    const service::Config& config,
    const std::string& path,
    const std::string& folder,
    const GalleryOptions& options);

/// The bytes of a picture that was written, for the page; empty when there is
/// none.
[[nodiscard]] std::string read_gallery(
    const std::string& folder,
    std::size_t set);

}  // namespace swavd::daemon
