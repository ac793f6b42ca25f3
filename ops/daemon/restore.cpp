#include "ops/daemon/restore.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

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
    const bool have_local = !candidates.empty();
    if (const auto listed = gather(*remote, candidates); !listed.ok()) {
      if (!have_local) {
        return Error{
            ErrorCode::kUnavailable,
            "no local snapshot, and the object store does not answer; not "
            "starting at step 0: " +
                listed.error().message};
      }
      log(LogLevel::kWarning,
          "object_store_unavailable",
          "restoring from the local tier alone: " + listed.error().message);
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

scheduler::Verdict verdict_of(const std::string& word) {
  for (const auto verdict :
       {scheduler::Verdict::kHealthy,
        scheduler::Verdict::kStuck,
        scheduler::Verdict::kCollapsing}) {
    if (word == scheduler::to_string(verdict)) {
      return verdict;
    }
  }
  return scheduler::Verdict::kStarting;
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
          "those values, or start another lineage with a new `run` name",
          fmt::join(changed, ", "))};
}

Result<RunState> adopt(
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
  run.verdict = verdict_of(manifest.health.verdict);
  run.snapshot_id = reader.id();
  run.step = manifest.step;
  run.created_ms = manifest.created_ms;
  run.commit = manifest.commit;
  run.generation = manifest.generation;
  return run;
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

/// The generation number in the object store, with its etag; 0 when absent.
struct RemoteGeneration {
  std::uint64_t number = 0;
  std::string etag;
};

std::string generation_key(const std::string& run) {
  return run + "/generation.json";
}

Result<RemoteGeneration> remote_generation(
    state::ObjectStore& objects,
    const std::string& run) {
  std::string text;
  auto info = objects.get(generation_key(run), [&text](Bytes piece) {
    text.append(as_text(piece));
    return ok_status();
  });
  if (!info.ok()) {
    if (info.error().code == ErrorCode::kNotFound) {
      return RemoteGeneration{};
    }
    return info.error();
  }
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("generation") ||
      !json["generation"].is_number_unsigned()) {
    return Error{
        ErrorCode::kCorruption,
        generation_key(run) + " in the object store is not a generation"};
  }
  return RemoteGeneration{
      json["generation"].get<std::uint64_t>(), info.value().etag};
}

Status write_remote_generation(
    state::ObjectStore& objects,
    const std::string& run,
    const RemoteGeneration& before,
    std::uint64_t number) {
  const nlohmann::ordered_json json = {{"generation", number}};
  const state::PutCondition condition =
      before.number == 0
          ? state::PutCondition{state::PutCondition::Kind::kAbsent, ""}
          : state::PutCondition{
                state::PutCondition::Kind::kMatches, before.etag};
  auto put =
      state::put_text(objects, generation_key(run), json.dump(), condition);
  if (!put.ok()) {
    return put.error().with_context("claim generation of run " + run);
  }
  return ok_status();
}

}  // namespace

Result<RunState> restore_run(
    state::SnapshotStore& local,
    state::RemoteRun* remote,
    const std::string& lineage_toml,
    trainer::Trainer& trainer,
    metrics::Registry& registry) {
  auto candidates = candidates_of(local, remote);
  if (!candidates.ok()) {
    return candidates.error();
  }
  for (const Candidate& candidate : candidates.value()) {
    auto reader = open_verified(candidate);
    if (!reader.ok()) {
      const Error& error = reader.error();
      registry.add(Id::kRestoreSkipped, 1, {to_string(error.code)});
      log(LogLevel::kError,
          to_string(error.code),
          fmt::format(
              "passing over snapshot {}: {}",
              candidate.info.id,
              error.message));
      continue;
    }
    SWAVD_RETURN_IF_ERROR(
        check_lineage(reader.value()->manifest(), lineage_toml));
    auto run = adopt(*reader.value(), trainer);
    if (run.ok()) {
      // A number once used is never used again, whatever became of it.
      for (const Candidate& other : candidates.value()) {
        run.value().commit = std::max(run.value().commit, other.info.commit);
      }
    }
    return run;
  }
  if (!candidates.value().empty()) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format(
            "{} snapshots are listed and none of them verifies; not starting "
            "over. See `swavctl snapshots verify`, or choose a new `run` name",
            candidates.value().size())};
  }
  log(LogLevel::kInfo, "new_run", "no snapshot anywhere: starting at step 0");
  return RunState{};
}

Result<std::uint64_t> claim_generation(
    state::SnapshotStore& local,
    state::ObjectStore* objects,
    const std::string& run,
    std::uint64_t snapshot_generation) {
  auto known = local.read_number("generation");
  if (!known.ok() && known.error().code != ErrorCode::kNotFound) {
    return known.error();
  }
  std::uint64_t newest =
      std::max(known.ok() ? known.value() : 0, snapshot_generation);
  RemoteGeneration remote;
  if (objects != nullptr) {
    auto found = remote_generation(*objects, run);
    if (!found.ok()) {
      return found.error();
    }
    remote = found.value();
    newest = std::max(newest, remote.number);
  }
  const std::uint64_t mine = newest + 1;
  if (objects != nullptr) {
    SWAVD_RETURN_IF_ERROR(write_remote_generation(*objects, run, remote, mine));
  }
  SWAVD_RETURN_IF_ERROR(local.write_number("generation", mine));
  return mine;
}

}  // namespace swavd::daemon
