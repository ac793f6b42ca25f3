#pragma once

#include <optional>

#include "ops/base/bounded_queue.h"
#include "ops/base/bytes.h"
#include "ops/base/result.h"
#include "ops/base/stage.h"
#include "state/snapshot_store.h"

namespace swavd::state {

/// Turns a snapshot's file, which is pushed, into pieces that an object store
/// pulls: a thread reads ahead by a few pieces, but a small file is read at
/// once. The end is only reported once length and digest have proved right, so
/// a put of a damaged file fails.
class PieceSource {
 public:
  /// `reader` is used by this object alone until it is gone; both outlive it.
  PieceSource(SnapshotReader& reader, const FileEntry& file);

  PieceSource(const PieceSource&) = delete;
  PieceSource& operator=(const PieceSource&) = delete;
  ~PieceSource();

  /// The next bytes, valid until the next call; empty at the end. Errors:
  /// those of `read_checked`.
  [[nodiscard]] Result<Bytes> next();

 private:
  void read_ahead();
  void read_small();

  SnapshotReader& reader_;
  const FileEntry& file_;
  BoundedQueue<ByteVector> pieces_;
  ByteVector current_;
  Status outcome_ = ok_status();  ///< the thread's, to be read after its end
  bool given_ = false;            ///< of a small file
  std::optional<Stage> stage_;    ///< of a large one
};

}  // namespace swavd::state
