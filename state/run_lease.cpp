#include "state/run_lease.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ops/base/check.h"

namespace swavd::state {

namespace {

using std::chrono::milliseconds;

Error owned_by(const std::string& run, const RunRecord& record) {
  return Error{
      ErrorCode::kFenced,
      fmt::format(
          "run {} is owned by {} (generation {}); drain it, or take the run "
          "from it with --take-over",
          run,
          to_string(record.owner),
          record.generation)};
}

}  // namespace

RunLease::RunLease(
    SnapshotStore* local,
    ObjectStore* objects,
    const Clock& clock,
    LeaseOptions options)
    : local_(local),
      objects_(objects),
      clock_(clock),
      options_(std::move(options)) {
  SWAVD_CHECK(local != nullptr || objects != nullptr);
}

std::string RunLease::key() const {
  return options_.run.empty() ? "generation.json"
                              : options_.run + "/generation.json";
}

Result<RunRecord> RunLease::local_record() const {
  if (local_ == nullptr) {
    return RunRecord{};
  }
  const auto text = local_->read_note(kGenerationNote);
  if (!text.ok()) {
    return text.error();
  }
  return text.value().empty() ? RunRecord{} : parse_run_record(text.value());
}

Result<RunLease::Found> RunLease::remote_record() const {
  std::string text;
  const auto info = objects_->get(key(), [&text](Bytes piece) {
    text += as_text(piece);
    return ok_status();
  });
  if (!info.ok()) {
    return info.error().code == ErrorCode::kNotFound
               ? Result<Found>(Found{})
               : info.error().with_context("who owns the run: " + key());
  }
  auto record = parse_run_record(text);
  if (!record.ok()) {
    return record.error().with_context(
        key() + " in the object store (remove it once no daemon has this run)");
  }
  return Found{std::move(record).value(), info.value().etag};
}

Status RunLease::watch(
    Found& found,
    const std::function<bool(milliseconds)>& wait) const {
  const milliseconds expiry = std::max(options_.expiry, found.record.expiry);
  const auto begun = clock_.steady();
  while (true) {
    if (!wait(std::min(options_.look_every, expiry))) {
      return Error{
          ErrorCode::kCancelled, "told to end while waiting for the run"};
    }
    const auto asked = clock_.steady();
    auto now = remote_record();
    if (!now.ok()) {
      return now.error();
    }
    if (now.value().etag != found.etag) {
      found = std::move(now).value();
      return found.record.held ? Status(owned_by(options_.run, found.record))
                               : ok_status();
    }
    if (asked - begun >= expiry) {
      return ok_status();
    }
  }
}

Result<RunRecord> RunLease::claim(
    std::uint64_t floor,
    const std::optional<Rollback>& bend,
    const std::function<bool(milliseconds)>& wait) {
  const auto known = local_record();
  if (!known.ok()) {
    return known.error();
  }
  Found found;
  if (objects_ != nullptr) {
    auto remote = remote_record();
    if (!remote.ok()) {
      return remote.error();
    }
    found = std::move(remote).value();
  }
  // Its last owner held the lock of this data folder, which is ours now.
  const bool follows_itself = found.record.owner.id == known.value().owner.id;
  if (found.record.held && !follows_itself && !options_.take_over) {
    SWAVD_RETURN_IF_ERROR(watch(found, wait));
  }
  etag_ = found.etag;
  RunRecord next = etag_.empty() ? known.value() : found.record;
  next.generation =
      std::max({known.value().generation, found.record.generation, floor}) + 1;
  if (!options_.run.empty()) {
    next.run = options_.run;
  }
  if (!options_.object_store.empty()) {
    next.object_store = options_.object_store;
  }
  next.owner = options_.me;
  next.held = true;
  if (options_.expiry.count() > 0) {
    next.expiry = options_.expiry;
  }
  next.rollbacks =
      merge_rollbacks(std::move(next.rollbacks), known.value().rollbacks);
  // First on this disk, else a crash behind the next line would make this
  // folder wait for itself. Without the bend: a claim that fails bends nothing.
  SWAVD_RETURN_IF_ERROR(note(next));
  if (bend) {
    Rollback filled = *bend;
    filled.generation = next.generation;
    next.newest_id = filled.id;
    next.newest_commit = filled.start_commit;
    next.rollbacks = merge_rollbacks(std::move(next.rollbacks), {filled});
  }
  SWAVD_RETURN_IF_ERROR(write(next));
  if (bend) {
    SWAVD_RETURN_IF_ERROR(note(record_));
  }
  return record_;
}

Status RunLease::note(const RunRecord& record) {
  return local_ == nullptr
             ? ok_status()
             : local_->write_note(kGenerationNote, to_json(record));
}

Status RunLease::write(RunRecord next) {
  next.renewed_ms = clock_.unix_ms();
  ++next.beat;
  if (objects_ != nullptr) {
    const PutCondition condition =
        etag_.empty() ? PutCondition{PutCondition::Kind::kAbsent, {}}
                      : PutCondition{PutCondition::Kind::kMatches, etag_};
    const auto put = put_text(*objects_, key(), to_json(next), condition);
    if (put.ok()) {
      etag_ = put.value();
    } else if (
        put.error().code != ErrorCode::kFenced &&
        put.error().code != ErrorCode::kNotFound) {
      return put.error().with_context("write " + key());
    } else {
      auto there = remote_record();
      if (!there.ok()) {
        return there.error();
      }
      if (there.value().etag.empty()) {
        etag_.clear();  // removed by hand; written anew next time
        return Error{ErrorCode::kUnavailable, key() + " is gone"};
      }
      if (there.value().record.owner.id != options_.me.id) {
        return owned_by(options_.run, there.value().record);
      }
      // The put of an answer that got lost.
      etag_ = there.value().etag;
      next.beat = there.value().record.beat;
    }
  }
  record_ = std::move(next);
  return ok_status();
}

Status RunLease::renew() {
  return write(record_);
}

Status RunLease::release() {
  RunRecord next = record_;
  next.held = false;
  SWAVD_RETURN_IF_ERROR(write(std::move(next)));
  return ok_status();
}

void RunLease::set_newest(const std::string& id, std::uint64_t commit) {
  record_.newest_id = id;
  record_.newest_commit = commit;
}

}  // namespace swavd::state
