#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>

#include "ops/base/result.h"
#include "state/snapshot_ref.h"

namespace swavd::state {

// What `swavctl snapshots …` prints. Text ends with a newline; JSON is one
// line with one.

enum class OutputFormat { kText, kJson };

/// All snapshots of a catalogue, oldest first: a table, or
/// [{"id","generation","commit","step","images","created","bytes","health",
/// "parent"}]. An id in `ref` is ignored. Errors: those of `open_catalog`.
[[nodiscard]] Result<std::string> list_command(
    const std::string& ref,
    OutputFormat format);

/// One snapshot: what a person wants to know, or manifest.json as it is with
/// the key "id" in front. Errors: those of `open_snapshot`.
[[nodiscard]] Result<std::string> show_command(
    const std::string& ref,
    OutputFormat format);

/// What `verify_command` found.
struct VerifyReport {
  /// A line a file, "ok" or "BAD" in front, and a final one; or
  /// {"id","ok","files":[{"name","bytes","result","reason"}]}.
  std::string text;
  /// kCorruption when anything is bad: the program's exit.
  Status outcome = ok_status();
};

/// Reads the whole snapshot and checks every digest. "state.safetensors" may
/// be absent from a folder that was pulled without it: the line says so.
/// Errors: those of `open_snapshot`.
[[nodiscard]] Result<VerifyReport> verify_command(
    const std::string& ref,
    OutputFormat format);

/// Copies a snapshot into `folder` (see `pull`); says what came, or
/// {"id","step","folder","bytes","files":[…]}. Errors: those of
/// `open_snapshot` and `pull`.
[[nodiscard]] Result<std::string> pull_command(
    const std::string& ref,
    const std::string& folder,
    PullFiles files,
    OutputFormat format);

struct FollowOptions {
  PullFiles files = PullFiles::kConsumers;
  OutputFormat format = OutputFormat::kText;
  std::chrono::milliseconds every{10'000};  ///< between two looks, at least 1
};

/// Pulls into `folder` whenever `ref` means another snapshot than the folder
/// holds, until `stop`. `report` gets what `pull_command` gives, or why a try
/// failed: places that are away or still empty are asked again. Errors at once:
/// kInvalidArgument.
[[nodiscard]] Status follow_command(
    const std::string& ref,
    const std::string& folder,
    const FollowOptions& options,
    const std::stop_token& stop,
    const std::function<void(const Result<std::string>&)>& report);

}  // namespace swavd::state
