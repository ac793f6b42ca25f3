#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/model/trunk_design.h"
#include "trainer/options.h"

namespace swavd::trainer {

/// What a tensor is before the first step.
enum class Init {
  kNormalFanOut,  ///< N(0, sqrt(2 / fan)), fan = k * k * C_out
  kUniformFanIn,  ///< U(-1/sqrt(fan), 1/sqrt(fan)), fan = inputs of a unit
  kOnes,
  kZeros,
};

/// What a tensor is for.
enum class Role {
  kParameter,  ///< float32, learnt by gradient
  kStatistic,  ///< float32, running mean or variance of a BatchNorm
  kCounter,    ///< int64 scalar: batches a BatchNorm has seen
};

/// One tensor of the model by its name in the snapshot. Trunk names are those
/// that the design gives, head names `projection_head.*` and `prototypes.*`, so
/// nothing is renamed on the way out or in.
struct TensorSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  Role role = Role::kParameter;
  Init init = Init::kZeros;
  std::int64_t fan = 1;
};

/// Name of one of `sets` sets of prototypes: "prototypes.weight" when it is the
/// only one, else "prototypes.<set>.weight".
[[nodiscard]] std::string prototypes_name(std::size_t set, std::size_t sets);

/// All tensors of a trunk, from stem to last stage.
[[nodiscard]] std::vector<TensorSpec> trunk_specs(const TrunkDesign& design);

/// All tensors of the projection head on `features` inputs, then the
/// prototypes. Linear layers lie at positions {0, 3, 6, …} with BatchNorm
/// behind the hidden ones, or {0, 2, 4, …} without (VISSL's swav head).
[[nodiscard]] std::vector<TensorSpec> head_specs(
    std::int64_t features,
    const HeadOptions& options);

/// True for names that `head_specs` gives.
[[nodiscard]] bool is_head_tensor(std::string_view name);

/// Position of the head's `layer`-th Linear in its sequence.
[[nodiscard]] std::size_t head_position(
    std::size_t layer,
    const HeadOptions& options);

/// Product of the shape; 1 for a scalar.
[[nodiscard]] std::int64_t element_count(const TensorSpec& spec);

}  // namespace swavd::trainer
