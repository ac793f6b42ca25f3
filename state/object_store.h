#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ops/base/bytes.h"
#include "ops/base/result.h"
#include "state/s3_options.h"
#include "state/snapshot_store.h"

namespace swavd::state {

/// What must hold for a put to happen.
struct PutCondition {
  enum class Kind { kNone, kAbsent, kMatches };
  Kind kind = Kind::kNone;
  std::string etag;  ///< for kMatches
};

struct ObjectInfo {
  std::string key;
  std::uint64_t bytes = 0;
  /// Changes with the content; empty in a listing where it would have to be
  /// computed from the content.
  std::string etag;
};

/// Named objects with conditional writes: S3, a folder, or memory. Keys use
/// '/' and never begin with it. Thread-safe.
class ObjectStore {
 public:
  ObjectStore() = default;
  ObjectStore(const ObjectStore&) = delete;
  ObjectStore& operator=(const ObjectStore&) = delete;
  virtual ~ObjectStore() = default;

  /// Stores the object and gives its etag. `bytes` pieces come from `source`,
  /// which returns an empty span at the end. Errors: kFenced when the
  /// condition does not hold (nothing was written), kUnavailable, kIo,
  /// kExhausted.
  [[nodiscard]] virtual Result<std::string> put(
      const std::string& key,
      std::uint64_t bytes,
      const std::function<Result<Bytes>()>& source,
      const PutCondition& condition) = 0;

  /// Errors: kNotFound, kUnavailable, kIo, and what `sink` returns.
  [[nodiscard]] virtual Result<ObjectInfo> get(
      const std::string& key,
      const std::function<Status(Bytes)>& sink) = 0;

  /// As `get`, but nullopt, with nothing given to `sink`, when the object still
  /// has this etag: what a follower asks again and again.
  [[nodiscard]] virtual Result<std::optional<ObjectInfo>> get_if_changed(
      const std::string& key,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) = 0;

  /// The `bytes` bytes from `offset` on, or fewer where the object ends. With
  /// an etag, kFenced when the object has another one by now. The info's
  /// `bytes` is the size of the whole object; its etag may be empty. Errors:
  /// as `get`; kInvalidArgument (`offset` beyond the end).
  [[nodiscard]] virtual Result<ObjectInfo> get_range(
      const std::string& key,
      std::uint64_t offset,
      std::uint64_t bytes,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) = 0;

  /// Ascending by key. Errors: kUnavailable, kIo.
  [[nodiscard]] virtual Result<std::vector<ObjectInfo>> list(
      const std::string& prefix) = 0;

  /// Absent is fine. Errors: kUnavailable, kIo.
  [[nodiscard]] virtual Status remove(const std::string& key) = 0;

  /// Clears what puts below `prefix` left that never came to their end; one
  /// that is under way there fails. Nothing to do for a store whose puts leave
  /// nothing. Errors: kUnavailable, kIo.
  [[nodiscard]] virtual Status discard_unfinished(const std::string& prefix) {
    (void)prefix;
    return ok_status();
  }
};

/// Opens "file:///FOLDER" (same semantics as S3, under a lock file; the first
/// put creates the folder) or "s3://BUCKET/PREFIX", reached as `s3` says.
/// Nothing is asked yet. Errors: kInvalidArgument (URL, options), kIo.
[[nodiscard]] Result<std::unique_ptr<ObjectStore>> open_object_store(
    const std::string& url,
    const S3Options& s3 = {});

/// Tries whether the store honours conditions, on an object of its own below
/// `prefix`, which it removes. Two owners of a run could overwrite each other's
/// snapshots in a store that does not. Errors: kUnavailable, naming the
/// condition that is ignored; those of the store.
[[nodiscard]] Status probe_conditional_writes(
    ObjectStore& store,
    const std::string& prefix);

/// A small object in one call.
[[nodiscard]] Result<std::string> put_text(
    ObjectStore& store,
    const std::string& key,
    std::string_view text,
    const PutCondition& condition);
[[nodiscard]] Result<std::string> get_text(
    ObjectStore& store,
    const std::string& key);

/// The remote tier of one run, laid out as ops/docs/formats/object-store.md
/// says: snapshots/<id>/…, lineage/<commit>.json, latest.json.
class RemoteRun : public SnapshotCatalog {
 public:
  /// Copies a committed snapshot, then its lineage entry (conditional), then
  /// latest.json. A snapshot exists here once its lineage entry does. Digests
  /// are checked on the way; what an interrupted upload of the same snapshot
  /// left is not copied again, and one that is there already is fine.
  /// Errors: kFenced (another owner committed this number, or a newer
  /// generation has committed), kCorruption, kUnavailable; those of the store.
  [[nodiscard]] virtual Status upload(SnapshotReader& snapshot) = 0;

  /// Removes a snapshot that this run's lineage names: its lineage entry
  /// first, so that it stops to exist at once, then latest.json is written
  /// anew, then its files go. Errors: kNotFound, kUnavailable;
  /// kInvalidArgument (it is pinned); those of the store.
  [[nodiscard]] virtual Status drop(const std::string& id) = 0;

  /// Removes what uploads of this run left that were begun and will never be
  /// complete: written down in the run's journal, not in its lineage, not in
  /// `pending`, of `generation` or an older one. Does nothing before the
  /// lineage has an entry of `generation` as its newest, for only then nobody
  /// older can commit. Nothing else is touched. Gives how many uploads were
  /// cleared away. Errors: those of the store.
  [[nodiscard]] virtual Result<std::size_t> sweep(
      std::uint64_t generation,
      const std::set<std::string>& pending) = 0;

  /// Writes latest.json anew from the lineage and the run's record. Errors:
  /// those of the store.
  [[nodiscard]] virtual Status refresh_latest() = 0;
};

/// `store` must outlive the run and its readers. `run`: the prefix of its
/// keys; empty when `store` is opened at the run itself.
[[nodiscard]] std::unique_ptr<RemoteRun> open_remote_run(
    ObjectStore& store,
    const std::string& run);

}  // namespace swavd::state
