#pragma once

#include <string>

#include "ops/base/result.h"
#include "state/snapshot_follow.h"
#include "state/snapshot_ref.h"

namespace swavd::state {

// What `swavctl snapshots …` prints. Text ends with a newline; JSON is one
// line with one.

enum class OutputFormat { kText, kJson };

enum class PinChange { kPin, kRemove };

/// All snapshots of a catalogue, oldest first: a table, or
/// [{"id","generation","commit","step","images","created","bytes","health",
/// "parent","pinned"}]. An id in `ref` is ignored. Errors: those of
/// `open_catalog`.
[[nodiscard]] Result<std::string> list_command(
    const std::string& ref,
    OutputFormat format);

/// One snapshot: what a person wants to know, or manifest.json as it is with
/// the keys "id" and "pinned" in front. Errors: those of `open_snapshot`.
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

/// Pins the snapshot that `ref` names by an id, or takes the pin off; says so.
/// Errors: those of `open_catalog` and `SnapshotCatalog::set_pinned`;
/// kInvalidArgument, no id.
[[nodiscard]] Result<std::string>
pin_command(const std::string& ref, PinChange change, OutputFormat format);

/// One switch of a follower as a line of JSON: {"id","step","health","folder",
/// "bytes","fetched_bytes","milliseconds"}.
[[nodiscard]] std::string switch_json(const FollowSwitch& made);

/// The same for people, without a line break.
[[nodiscard]] std::string switch_text(const FollowSwitch& made);

}  // namespace swavd::state
