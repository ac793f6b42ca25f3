#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/result.h"

namespace swavd::state {

// Who owns a run, and where its line of snapshots was bent by hand:
// generation.json of the object store and the local store's note
// "generation"; ops/docs/formats/run.md.

/// Name of the record among the local store's notes.
inline constexpr const char* kGenerationNote = "generation";

/// One process that owns, or owned, a run.
struct RunOwner {
  std::string id;  ///< 16 random hexadecimal digits, new for every process
  std::string host;
  std::int64_t pid = 0;
};

/// This process, with a fresh id.
[[nodiscard]] RunOwner this_process();

/// "HOST, process PID".
[[nodiscard]] std::string to_string(const RunOwner& owner);

/// From `generation` on the run continues from one snapshot of an older one,
/// or from nothing: everything in between is off its line.
struct Rollback {
  std::uint64_t generation = 0;
  std::string id;  ///< of the snapshot; empty: a fresh start
  std::uint64_t start_generation = 0;
  std::uint64_t start_commit = 0;
};

struct RunRecord {
  std::string run;               ///< its name
  std::string object_store;      ///< URL of the remote tier; empty: none
  std::uint64_t generation = 0;  ///< 0: nobody has ever owned the run
  RunOwner owner;
  bool held = false;       ///< false: the owner ended and let it go
  std::uint64_t beat = 0;  ///< grows with every renewal
  std::chrono::milliseconds expiry{0};
  std::int64_t renewed_ms = 0;  ///< Unix ms; written for people, never read
  std::string newest_id;        ///< newest durable snapshot; empty: none yet
  std::uint64_t newest_commit = 0;
  std::vector<Rollback> rollbacks;  ///< ascending by generation
};

/// One line of JSON.
[[nodiscard]] std::string to_json(const RunRecord& record);

/// Errors: kCorruption.
[[nodiscard]] Result<RunRecord> parse_run_record(std::string_view json);

/// All of both, ascending by generation, each once.
[[nodiscard]] std::vector<Rollback> merge_rollbacks(
    std::vector<Rollback> a,
    const std::vector<Rollback>& b);

/// Is the snapshot on the line that the run follows now? Newer ones of an
/// older generation than a rollback are not, unless a later rollback went
/// back to them.
[[nodiscard]] bool on_line(
    const std::vector<Rollback>& rollbacks,
    std::uint64_t generation,
    std::uint64_t commit);

}  // namespace swavd::state
