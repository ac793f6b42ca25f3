#include "ops/daemon/restore.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ingest/position_json.h"
#include "ops/base/log.h"
#include "ops/service/config.h"

namespace swavd::daemon {

namespace {

using metrics::Id;

struct Candidate {
  state::SnapshotInfo info;
  state::SnapshotCatalog* catalog = nullptr;
};

Status gather(
    state::SnapshotCatalog& catalog,
    std::vector<Candidate>& candidates) {
  auto list = catalog.list();
  if (!list.ok()) {
    return list.error();
  }
  for (state::SnapshotInfo& info : std::move(list).value()) {
    candidates.push_back({std::move(info), &catalog});
  }
  return ok_status();
}

Result<std::vector<Candidate>> candidates_of(
    state::SnapshotStore& local,
    state::RemoteRun* remote) {
  std::vector<Candidate> candidates;
  SWAVD_RETURN_IF_ERROR(gather(local, candidates));
  if (remote != nullptr) {
    // Another owner's newer snapshots may lie there: to go on from what is here
    // would fork the line, and to start at step 0 would forget it.
    if (const auto listed = gather(*remote, candidates); !listed.ok()) {
      return Error{
          ErrorCode::kUnavailable,
          "the object store does not answer; not starting without what it "
          "holds: " +
              listed.error().message};
    }
  }
  // Newest first; the local copy before its remote twin.
  std::stable_sort(
      candidates.begin(),
      candidates.end(),
      [](const Candidate& a, const Candidate& b) {
        return std::tie(a.info.generation, a.info.commit) >
               std::tie(b.info.generation, b.info.commit);
      });
  return candidates;
}

Status check_lineage(
    const state::Manifest& manifest,
    const std::string& lineage_toml) {
  const auto changed =
      service::lineage_differences(manifest.config_toml, lineage_toml);
  if (changed.empty()) {
    return ok_status();
  }
  return Error{
      ErrorCode::kConfig,
      fmt::format(
          "this run's snapshots were made with other values of: {}; restore "
          "those values, start another lineage with a new `run` name, or "
          "start this one over with --new-run",
          fmt::join(changed, ", "))};
}

Result<std::unique_ptr<state::SnapshotReader>> open_verified(
    const Candidate& candidate) {
  auto reader = candidate.catalog->open(candidate.info.id);
  if (!reader.ok()) {
    return reader;
  }
  SWAVD_RETURN_IF_ERROR(state::verify(*reader.value()));
  return reader;
}

/// The candidates that are on the line of `record`.
std::vector<const Candidate*> on_the_line(
    const std::vector<Candidate>& candidates,
    const state::RunRecord& record) {
  std::vector<const Candidate*> found;
  for (const Candidate& candidate : candidates) {
    if (state::on_line(
            record.rollbacks,
            candidate.info.generation,
            candidate.info.commit)) {
      found.push_back(&candidate);
    }
  }
  return found;
}

/// Counts and logs what it passes over; nullptr when nothing verifies. Errors:
/// kUnavailable, of a snapshot with which nothing is wrong: to go on from an
/// older one would fork the line, and the next start may find its place again.
Result<std::unique_ptr<state::SnapshotReader>> first_that_verifies(
    const std::vector<const Candidate*>& line,
    metrics::Registry& registry) {
  for (const Candidate* candidate : line) {
    auto reader = open_verified(*candidate);
    if (reader.ok()) {
      return reader;
    }
    const Error& error = reader.error();
    if (error.code == ErrorCode::kUnavailable) {
      return error.with_context("restore snapshot " + candidate->info.id);
    }
    registry.add(Id::kRestoreSkipped, 1, {to_string(error.code)});
    log(LogLevel::kError,
        to_string(error.code),
        fmt::format(
            "passing over snapshot {}: {}", candidate->info.id, error.message));
  }
  return std::unique_ptr<state::SnapshotReader>();
}

/// What to say, and to do, when nothing could be restored.
Result<RunState> nothing_restored(
    std::size_t listed,
    const state::RunRecord& record) {
  constexpr const char* kNewRun =
      "to start over at step 0 all the same: `swavd run --new-run`, once";
  if (listed > 0) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format(
            "{} snapshots are listed and none of them verifies; not starting "
            "over. See `swavctl snapshots verify`; {}",
            listed,
            kNewRun)};
  }
  if (record.newest_commit > 0) {
    return Error{
        ErrorCode::kConfig,
        fmt::format(
            "this run has committed snapshot {}, and there is none in the data "
            "folder or the object store; bring one of them back, or, {}",
            record.newest_id,
            kNewRun)};
  }
  log(LogLevel::kInfo, "new_run", "no snapshot anywhere: starting at step 0");
  return RunState{};
}

/// A snapshot that only a lost disk had is trained anew from here.
void tell_what_is_lost(
    const RunState& run,
    std::uint64_t commit,
    const state::RunRecord& record) {
  // The record lags behind by up to a heartbeat: a newer one is nothing lost.
  if (commit < record.newest_commit) {
    log(LogLevel::kWarning,
        "newest_missing",
        fmt::format(
            "the run has committed {}, which is not to be had: what follows "
            "{} is trained again",
            record.newest_id,
            run.snapshot_id));
  }
}

}  // namespace

Result<std::uint64_t> highest_generation(
    state::SnapshotStore& local,
    state::RemoteRun* remote) {
  const auto candidates = candidates_of(local, remote);
  if (!candidates.ok()) {
    return candidates.error();
  }
  return candidates.value().empty()
             ? 0
             : candidates.value().front().info.generation;
}

Result<RunState> restore_snapshot(
    state::SnapshotReader& reader,
    trainer::Trainer& trainer) {
  const state::Manifest& manifest = reader.manifest();
  auto positions = ingest::positions_from_json(manifest.positions_json);
  if (!positions.ok()) {
    return positions.error();
  }
  auto ledger = ingest::ledger_from_json(manifest.ledger_json);
  if (!ledger.ok()) {
    return ledger.error();
  }
  auto schedule = schedule_from_json(manifest.schedule_json);
  if (!schedule.ok()) {
    return schedule.error();
  }
  auto stream = stream_from_json(manifest.stream_json);
  if (!stream.ok()) {
    return stream.error();
  }
  SWAVD_RETURN_IF_ERROR(trainer.restore(reader));
  RunState run;
  run.progress =
      ingest::StreamProgress(std::move(positions).value(), ledger.value());
  run.schedule = schedule.value();
  run.stream = stream.value();
  run.health = run_health(manifest.health);
  run.snapshot_id = reader.id();
  run.origin_json = manifest.origin_json;
  run.step = manifest.step;
  run.created_ms = manifest.created_ms;
  return run;
}

Result<RunState> restore_run(
    state::SnapshotStore& local,
    state::RemoteRun* remote,
    const state::RunRecord& record,
    const std::string& lineage_toml,
    trainer::Trainer& trainer,
    metrics::Registry& registry) {
  auto candidates = candidates_of(local, remote);
  if (!candidates.ok()) {
    return candidates.error();
  }
  const auto line = on_the_line(candidates.value(), record);
  const auto reader = first_that_verifies(line, registry);
  if (!reader.ok()) {
    return reader.error();
  }
  if (reader.value()) {
    SWAVD_RETURN_IF_ERROR(
        check_lineage(reader.value()->manifest(), lineage_toml));
  }
  auto run = reader.value() ? restore_snapshot(*reader.value(), trainer)
                            : nothing_restored(line.size(), record);
  if (run.ok()) {
    // A number once used is never used again, whatever became of it.
    run.value().commit = record.newest_commit;
    for (const Candidate& other : candidates.value()) {
      run.value().commit = std::max(run.value().commit, other.info.commit);
    }
    if (reader.value()) {
      tell_what_is_lost(run.value(), reader.value()->manifest().commit, record);
    }
  }
  return run;
}

Result<std::vector<std::string>> pending_uploads(
    state::SnapshotCatalog& local,
    state::SnapshotCatalog& remote,
    std::int64_t every,
    std::int64_t most) {
  const auto here = local.list();
  if (!here.ok()) {
    return here.error();
  }
  const auto there = remote.list();
  if (!there.ok()) {
    return there.error();
  }
  const auto order = [](const state::SnapshotInfo& info) {
    return std::make_tuple(info.generation, info.commit);
  };
  // Any remote one, on the line or not: an older generation's entry behind a
  // younger one's would be refused.
  auto newest = std::make_tuple(std::uint64_t{0}, std::uint64_t{0});
  for (const state::SnapshotInfo& info : there.value()) {
    newest = std::max(newest, order(info));
  }
  std::vector<std::string> pending;
  for (const state::SnapshotInfo& info : here.value()) {
    if (!info.off_line && info.verdict != state::kUnreadable &&
        order(info) > newest &&
        info.commit % static_cast<std::uint64_t>(every) == 0) {
      pending.push_back(info.id);
    }
  }
  const auto bound = static_cast<std::size_t>(most);
  if (pending.size() > bound) {
    pending.erase(
        pending.begin(), pending.end() - static_cast<std::ptrdiff_t>(bound));
  }
  return pending;
}

}  // namespace swavd::daemon
