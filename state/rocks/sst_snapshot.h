#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "ops/base/result.h"
#include "state/content/snapshot_content.h"
#include "state/manifest.h"

namespace swavd::state {

/// A snapshot as one table file, ready to be ingested.
struct SstSnapshot {
  std::string id;
  Manifest manifest;  ///< complete
};

/// Writes `content` and the completed `manifest` to `path` and syncs it, all
/// on the calling thread, hashing on the way; `written`, if any, is called
/// after each chunk. Errors: kExhausted (the disk
/// filled up meanwhile), kIo. Leaves a partial file behind on errors.
[[nodiscard]] Result<SstSnapshot> write_sst_snapshot(
    const std::filesystem::path& path,
    const std::vector<ContentFile>& content,
    Manifest manifest,
    const std::function<void(std::uint64_t bytes)>& written);

/// Upper bound of the table's length for this content and manifest, in bytes.
[[nodiscard]] std::uint64_t sst_bytes(
    const std::vector<ContentFile>& content,
    const Manifest& manifest);

}  // namespace swavd::state
