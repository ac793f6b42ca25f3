#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/bytes.h"
#include "ops/base/result.h"
#include "state/frozen_state.h"
#include "state/manifest.h"

namespace swavd::state {

/// Verdict of a listed snapshot whose manifest cannot be read: it counts as
/// there, and opening it gives the reason.
inline constexpr std::string_view kUnreadable = "unreadable";

/// Verdict of a snapshot that consumers want.
inline constexpr std::string_view kHealthy = "healthy";

/// What a listing shows of a snapshot.
struct SnapshotInfo {
  std::string id;
  std::uint64_t generation = 0;
  std::uint64_t commit = 0;
  std::uint64_t step = 0;
  std::uint64_t images = 0;
  std::int64_t created_ms = 0;
  std::uint64_t bytes = 0;  ///< of all files
  std::string verdict;      ///< health, or kUnreadable
  std::string parent;
  bool off_line = false;  ///< a rollback went back behind it
};

/// Part of a file.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// One committed snapshot being read. Not thread-safe but for `read_range`;
/// it may live on another thread than the catalogue's.
class SnapshotReader {
 public:
  SnapshotReader() = default;
  SnapshotReader(const SnapshotReader&) = delete;
  SnapshotReader& operator=(const SnapshotReader&) = delete;
  virtual ~SnapshotReader() = default;

  [[nodiscard]] virtual const std::string& id() const = 0;
  [[nodiscard]] virtual const Manifest& manifest() const = 0;

  /// The exact text of manifest.json.
  [[nodiscard]] virtual const std::string& manifest_text() const = 0;

  /// Calls `sink` with the bytes of file `name`, piece by piece, in order; the
  /// bytes are not checked against the manifest's digest (`read_verified`
  /// does). Errors: kNotFound (the manifest names no such file, or a folder
  /// was pulled without it), kIo, kCorruption; and what `sink` returns.
  [[nodiscard]] virtual Status read(
      const std::string& name,
      const std::function<Status(Bytes)>& sink) = 0;

  /// Can parts of files be read by themselves, and several at once?
  [[nodiscard]] virtual bool has_ranges() const { return false; }

  /// As `read`, for the bytes in `range` only, which the file must have; to be
  /// called where `has_ranges`, from any thread.
  [[nodiscard]] virtual Status read_range(
      const std::string& name,
      const ByteRange& range,
      const std::function<Status(Bytes)>& sink);
};

/// The whole file `name`, its digest checked against the manifest.
/// Errors: those of `read`; kCorruption when the digest differs.
[[nodiscard]] Result<ByteVector> read_verified(
    SnapshotReader& reader,
    const std::string& name);

/// Reads every file and checks every digest, the id and `state_sha256`.
/// Errors: kCorruption naming the first file that differs.
[[nodiscard]] Status verify(SnapshotReader& reader);

/// What a consumer may want to hold; empty where there is none.
struct LatestSnapshots {
  std::string newest;   ///< the newest that can be read
  std::string healthy;  ///< the newest healthy one

  bool operator==(const LatestSnapshots&) const = default;
};

/// The newest of `list` (ascending).
[[nodiscard]] LatestSnapshots latest_of(const std::vector<SnapshotInfo>& list);

/// A set of snapshots that can be listed and read: a local store, a run in an
/// object store, a folder with one pulled snapshot. Not thread-safe.
class SnapshotCatalog {
 public:
  SnapshotCatalog() = default;
  SnapshotCatalog(const SnapshotCatalog&) = delete;
  SnapshotCatalog& operator=(const SnapshotCatalog&) = delete;
  virtual ~SnapshotCatalog() = default;

  /// Ascending by (generation, commit).
  [[nodiscard]] virtual Result<std::vector<SnapshotInfo>> list() = 0;

  /// Errors: kNotFound, kCorruption (manifest unreadable).
  [[nodiscard]] virtual Result<std::unique_ptr<SnapshotReader>> open(
      const std::string& id) = 0;

  /// The newest snapshots, asked for in the cheapest way the place offers;
  /// nullopt while they are what the call before gave. Errors: those of
  /// `list`; kNotFound, an object store whose first upload is not complete.
  [[nodiscard]] virtual Result<std::optional<LatestSnapshots>> poll_latest();

  /// Keeps `id` from retention in this place, or lets it go; from any process,
  /// also beside the one that writes. After an ok the snapshot is there and
  /// stays. Errors: kNotFound (also: dropped in this moment); kInvalidArgument,
  /// a place without retention; kUnavailable, kIo.
  [[nodiscard]] virtual Status set_pinned(const std::string& id, bool pinned);

  /// The ids that are kept so, ascending. Errors: kUnavailable, kIo.
  [[nodiscard]] virtual Result<std::vector<std::string>> pinned();

 private:
  std::optional<LatestSnapshots> polled_;  ///< what `poll_latest` gave last
};

/// The local tier: snapshots committed atomically on this machine's disk.
/// All calls from one named thread, except that `list` and `open` of another
/// process may run at any time.
/// How a commit goes about its writing.
struct CommitOptions {
  /// Called on the writing thread after every few megabytes; may block, to
  /// leave cores and memory to the training.
  std::function<void(std::uint64_t bytes)> written;
};

class SnapshotStore : public SnapshotCatalog {
 public:
  /// Writes and publishes one snapshot: after an ok it survives power loss,
  /// after an error or a crash it does not exist at all. Fills in `files` and
  /// `state_sha256` of the manifest; the rest is the caller's, `step` equal to
  /// the state's. A commit number that is taken by an older generation is a
  /// dead branch and replaced. Gives the id. Errors: kExhausted (not enough
  /// room: nothing was published, try again later); kInvalidArgument (the
  /// number is taken, another step, a bad file name: nothing was started); any
  /// other error has an unknown outcome and must end the process.
  [[nodiscard]] virtual Result<std::string> commit(
      Manifest manifest,
      const FrozenState& state,
      const CommitOptions& options) = 0;

  /// At full speed.
  [[nodiscard]] Result<std::string> commit(
      Manifest manifest,
      const FrozenState& state) {
    return commit(std::move(manifest), state, CommitOptions{});
  }

  /// Removes a snapshot and gives its space back; on a full disk by giving up
  /// the ballast. Errors: kNotFound; kInvalidArgument (it is pinned);
  /// kExhausted (no room even to write that down), kIo.
  [[nodiscard]] virtual Status drop(const std::string& id) = 0;

  /// A short text under `name`, synced, that outlives the process
  /// ("generation"); empty when it was never written. Errors: kIo,
  /// kCorruption; kExhausted.
  [[nodiscard]] virtual Result<std::string> read_note(
      const std::string& name) = 0;
  [[nodiscard]] virtual Status write_note(
      const std::string& name,
      const std::string& text) = 0;
};

struct LocalStoreOptions {
  std::string folder;  ///< "<data_dir>/snapshots"
  /// No write, ingest or drop starts unless its size plus this is free:
  /// RocksDB aborts the process when the disk is full. A ballast file of the
  /// same size is kept as well while there is room for it.
  std::uint64_t reserve_bytes = 256ULL << 20U;
};

/// Opens (and creates) the local store for the one process that writes it.
/// Errors: kUnavailable naming the holder, kIo, kCorruption.
[[nodiscard]] Result<std::unique_ptr<SnapshotStore>> open_local_store(
    const LocalStoreOptions& options);

/// Opens a store that is there for writing, with the reserve it was opened
/// with last. Errors: as `open_local_store`.
[[nodiscard]] Result<std::unique_ptr<SnapshotStore>> reopen_local_store(
    const std::string& folder);

/// Opens a local store for reading, beside a daemon that may be writing it.
[[nodiscard]] Result<std::unique_ptr<SnapshotCatalog>> open_local_catalog(
    const std::string& folder);

}  // namespace swavd::state
