#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ingest/record.h"
#include "ops/base/result.h"
#include "ops/base/sha256.h"

namespace swavd::ingest {

/// Offsets `first` to `last`, both included.
struct OffsetRange {
  std::int64_t first = 0;
  std::int64_t last = 0;

  friend bool operator==(const OffsetRange&, const OffsetRange&) = default;
};

/// Offsets that were never seen and never will be, and why.
struct Gap {
  std::int64_t from = 0;
  std::int64_t to = 0;  ///< included
  std::string reason;   ///< "retention"

  friend bool operator==(const Gap&, const Gap&) = default;
};

/// The newest consumed record of a partition: tells a topic that was deleted
/// and made anew from the one the position belongs to.
struct Fingerprint {
  std::int64_t offset = -1;
  std::int64_t timestamp_ms = -1;
  std::string sha256;  ///< of the payload, hexadecimal

  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

/// How far one partition has been consumed. Every existing offset in
/// [start, next) and in `done_above` was consumed exactly once along the
/// lineage; `gaps` did not exist any more. trained + rejected + skipped is
/// the number of records consumed.
struct Position {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t start = 0;               ///< the first offset the run took
  std::int64_t next = 0;                ///< all below is consumed or a gap
  std::vector<OffsetRange> done_above;  ///< consumed above `next`, ascending
  std::vector<Gap> gaps;
  std::uint64_t trained = 0;   ///< records that took part in an update
  std::uint64_t rejected = 0;  ///< records dead-lettered
  std::uint64_t skipped = 0;   ///< records of batches whose step was skipped
  std::optional<Fingerprint> last;

  friend bool operator==(const Position&, const Position&) = default;
};

/// What became of a consumed record.
enum class Outcome { kTrained, kRejected, kSkipped };

/// Count and commutative hashes of all records consumed along a lineage: two
/// sums modulo 2^64 that anyone can recompute from the positions and the
/// topic. Any record left out, doubled or swapped changes them.
struct Ledger {
  std::uint64_t count = 0;
  /// Sum of the first 8 bytes (little-endian) of SHA-256("TOPIC/PART/OFFSET").
  std::uint64_t hash = 0;
  /// The same over the SHA-256 of each payload.
  std::uint64_t content = 0;

  /// Adds one record. `payload_sha256` is the digest of its payload.
  void add(const Address& address, const Digest& payload_sha256);

  friend bool operator==(const Ledger&, const Ledger&) = default;
};

/// One record being consumed.
struct Consumed {
  Address address;
  std::int64_t timestamp_ms = -1;
  Digest payload_sha256{};
  Outcome outcome = Outcome::kTrained;
};

/// Positions of all partitions of a topic, with their ledger. This is the
/// part of a snapshot that says where in the stream it stands.
///
/// Not thread-safe: the thread that drives the trainer owns it.
class StreamProgress {
 public:
  StreamProgress() = default;

  /// Continues from a snapshot.
  StreamProgress(std::vector<Position> positions, Ledger ledger);

  /// Starts partition `partition` of `topic` at `start`. Aborts when it is
  /// already there.
  void
  begin(const std::string& topic, std::int32_t partition, std::int64_t start);

  /// Marks one record consumed. Errors: kInternal when its offset was
  /// consumed before, lies below `start` or in a gap, or its partition is
  /// unknown: the caller must stop, the lineage would no longer be exact.
  [[nodiscard]] Status consume(const Consumed& record);

  /// Writes a gap into a position: offsets [from, to] no longer exist, and
  /// consumption goes on at `to + 1`. What of them was consumed before is left
  /// out. Errors: kInternal when `from` lies above the position's `next` (what
  /// is between is not consumed yet: call again when it is), when `to` is
  /// below `from`, or the partition is unknown.
  [[nodiscard]] Status skip_gap(
      std::int32_t partition,
      std::int64_t from,
      std::int64_t to,
      const std::string& reason);

  /// Says that no record exists in [from, to] (compacted away or a
  /// transaction marker), so that `next` may pass it. Not counted. Aborts
  /// when the partition is unknown.
  void absent(std::int32_t partition, std::int64_t from, std::int64_t to);

  /// Ascending by partition.
  [[nodiscard]] std::vector<Position> positions() const;

  [[nodiscard]] const Ledger& ledger() const { return ledger_; }

 private:
  std::map<std::int32_t, Position> positions_;
  Ledger ledger_;
};

}  // namespace swavd::ingest
