#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/bytes.h"
#include "ops/base/result.h"
#include "state/frozen_state.h"
#include "state/manifest.h"

namespace swavd::state {

using ByteSink = std::function<Status(Bytes)>;

inline constexpr std::string_view kManifestFile = "manifest.json";

/// One file of a snapshot to be, whatever it is made of.
struct ContentFile {
  std::string name;
  std::uint64_t bytes = 0;
  std::function<Status(const ByteSink&)> write;  ///< gives all of its bytes
};

/// True for names that are one component of a path and stay in place on any
/// filesystem: letters, digits, '.', '_', '-', not beginning with '.'.
[[nodiscard]] bool is_plain_name(std::string_view name);

/// All files of `state`, which must outlive them; waits for its bytes. Errors:
/// those of the wait; kInvalidArgument, a name that is not plain, taken twice,
/// or the manifest's; a manifest that is for another step.
[[nodiscard]] Result<std::vector<ContentFile>> content_of(
    const Manifest& manifest,
    const FrozenState& state);

/// Writes `file` into `sink`, hashing on the way: large pieces on a thread of
/// their own, so `sink` may read them but not change them. Errors: what `sink`
/// returns.
[[nodiscard]] Result<FileEntry> write_content(
    const ContentFile& file,
    const ByteSink& sink);

/// `manifest` with its files and state digest filled in.
[[nodiscard]] Manifest with_files(
    Manifest manifest,
    std::vector<FileEntry> files);

}  // namespace swavd::state
