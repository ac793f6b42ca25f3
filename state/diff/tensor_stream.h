#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "ops/base/bytes.h"
#include "ops/base/result.h"
#include "state/content/piece_source.h"
#include "state/manifest.h"
#include "state/safetensors.h"
#include "state/snapshot_store.h"

namespace swavd::state {

/// A safetensors file of a snapshot, read once from front to back without
/// holding more than a few pieces of it.
class TensorStream {
 public:
  /// Reads the header. `reader` is the stream's alone until it is gone.
  /// Errors: kCorruption; those of the reader.
  [[nodiscard]] static Result<std::unique_ptr<TensorStream>> open(
      SnapshotReader& reader,
      const FileEntry& file);

  [[nodiscard]] const SafetensorsLayout& layout() const { return layout_; }

  /// Fills `into` with the next bytes. Errors: kCorruption (the file ends
  /// before); those of the reader.
  [[nodiscard]] Status fill(std::span<std::uint8_t> into);

  /// To be called after the last byte: was it what the manifest says? Errors:
  /// kCorruption; those of the reader.
  [[nodiscard]] Status finish();

 private:
  TensorStream(SnapshotReader& reader, const FileEntry& file);

  [[nodiscard]] Status load_header(std::uint64_t file_bytes);

  PieceSource source_;
  Bytes piece_;  ///< what is left of the source's last one
  SafetensorsLayout layout_;
};

}  // namespace swavd::state
