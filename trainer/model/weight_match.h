#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "state/layouts.h"
#include "state/safetensors.h"
#include "trainer/initial_weights.h"
#include "trainer/model/tensor_specs.h"

namespace swavd::trainer {

/// A model held against somebody's tensors.
struct WeightMatch {
  PartMatch trunk;
  PartMatch head;
  PartMatch prototypes;
  std::size_t classifier = 0;
  std::size_t unknown = 0;
  std::string first_unknown;
  /// For each tensor of the model that is taken, which of theirs it is.
  std::map<std::string, std::size_t> sources;
};

/// Compares names and shapes, reads nothing. `names` says what each of
/// `tensors` is.
[[nodiscard]] WeightMatch match_weights(
    const std::vector<TensorSpec>& specs,
    const std::vector<state::TensorEntry>& tensors,
    const state::ForeignNames& names,
    state::TrunkFamily family);

/// Blocks and channels of each stage.
struct TrunkOutline {
  std::vector<std::int64_t> depths;
  std::vector<std::int64_t> widths;

  bool operator==(const TrunkOutline&) const = default;
};

/// Told from the first convolution of each block; other tensors are passed
/// over.
class OutlineReader {
 public:
  /// `name`: as in a snapshot.
  void add(const std::string& name, const std::vector<std::int64_t>& shape);

  [[nodiscard]] const TrunkOutline& outline() const { return outline_; }

 private:
  TrunkOutline outline_;
};

}  // namespace swavd::trainer
