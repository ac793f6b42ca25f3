#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "ops/base/result.h"
#include "state/snapshot_store.h"

namespace swavd::state {

/// Which part of the model a tensor belongs to: "stem", "stage1" … "stage4"
/// (as many as there are), "head", "prototypes", "statistics" (of batch
/// normalisation), "other".
[[nodiscard]] std::string part_of_model(std::string_view tensor);

/// How far two snapshots' weights of one part are from each other.
struct PartDistance {
  std::uint64_t elements = 0;
  std::uint64_t tensors = 0;
  std::uint64_t changed = 0;     ///< tensors with a bit that differs
  double squares = 0;            ///< sum over the first snapshot
  double squares_of_change = 0;  ///< sum over the differences

  /// |b - a| / |a|; not finite where that has no meaning.
  [[nodiscard]] double relative_l2() const;
};

/// By `part_of_model`; tensors of integers are left out.
using WeightDistance = std::map<std::string, PartDistance>;

/// Compares the published weights of two snapshots, both read once as streams
/// and checked against their digests. Errors: kInvalidArgument, the snapshots
/// have other tensors, naming one; kCorruption; those of the readers.
[[nodiscard]] Result<WeightDistance> weight_distance(
    SnapshotReader& a,
    SnapshotReader& b);

}  // namespace swavd::state
