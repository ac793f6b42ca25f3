#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace swavd::trainer {

/// A RegNetY by its generator parameters (Radosavovic et al., "Designing
/// network design spaces", 2020).
struct RegNetOptions {
  std::int32_t depth = 13;  ///< blocks in all
  std::int32_t w0 = 24;     ///< multiple of 8
  double wa = 36.44;        ///< at least 0
  double wm = 2.49;         ///< above 1
  std::int32_t group_width = 8;
  double se_ratio = 0.25;
  std::int32_t stem_width = 32;
};

struct HeadOptions {
  std::vector<std::int64_t> hidden = {512, 512};  ///< widths between
  std::int64_t out = 128;                         ///< embedding dimension
  bool batch_norm = true;
  std::int64_t prototypes = 300;  ///< K
};

struct SwavOptions {
  double temperature = 0.1;
  double epsilon = 0.05;  ///< Sinkhorn's regularisation
  std::int32_t sinkhorn_iterations = 3;
  std::int32_t assign_crops = 2;  ///< the first so many crops give codes
  std::uint64_t freeze_prototypes_steps = 0;
};

enum class OptimizerKind { kLarc, kSgd, kLars };

struct OptimizerOptions {
  double momentum = 0.9;
  double weight_decay = 1e-5;
  double trust = 0.001;  ///< of kLarc and kLars
  OptimizerKind kind = OptimizerKind::kLarc;
};

/// Of convolutions and matrix products; the reduced ones by autocast.
enum class Precision { kFloat32, kBfloat16, kFloat16 };

struct TrainerOptions {
  std::uint64_t seed = 0;
  RegNetOptions trunk;
  HeadOptions head;
  SwavOptions swav;
  OptimizerOptions optimizer;
  Precision precision = Precision::kFloat32;
  /// Into so many groups the trunk's blocks are divided; all but the last
  /// compute their activations anew in the backward pass. 0: none does.
  std::int32_t checkpoint_groups = 0;
  std::int32_t threads = 0;  ///< of the step; 0: all cores
  // Written into preprocessor_config.json; nothing is computed with them.
  std::int32_t eval_resize = 256;
  std::int32_t eval_size = 224;
  std::array<double, 3> mean = {0.485, 0.456, 0.406};
  std::array<double, 3> std = {0.229, 0.224, 0.225};
};

}  // namespace swavd::trainer
