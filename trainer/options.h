#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace swavd::trainer {

enum class RegNetType {
  kY,  ///< with squeeze-and-excitation
  kX,  ///< without
};

/// A RegNet by its generator parameters (Radosavovic et al., "Designing
/// network design spaces", 2020).
struct RegNetOptions {
  std::int32_t depth = 13;  ///< blocks in all
  std::int32_t w0 = 24;     ///< multiple of 8
  double wa = 36.44;        ///< at least 0
  double wm = 2.49;         ///< above 1
  std::int32_t group_width = 8;
  double se_ratio = 0.25;  ///< type Y only
  std::int32_t stem_width = 32;
  RegNetType type = RegNetType::kY;
};

enum class ResNetBlock {
  kBasic,       ///< 3x3, 3x3
  kBottleneck,  ///< 1x1, 3x3 (with the stride), 1x1 to four times the width
};

enum class ResNetStem {
  kImageNet,  ///< 7x7 of stride 2, then max-pooling 3x3 of stride 2
  kCifar,     ///< 3x3 of stride 1, no pooling
};

/// A ResNet (He et al., 2015) as torchvision builds it ("v1.5"), SwAV's wider
/// ones (w2, w4) or a ResNeXt (Xie et al., 2016).
struct ResNetOptions {
  ResNetBlock block = ResNetBlock::kBottleneck;
  std::vector<std::int64_t> depths = {3, 4, 6, 3};  ///< blocks of 4 stages
  std::int64_t widen = 1;   ///< factor on all widths, the stem's included
  std::int64_t groups = 1;  ///< of a bottleneck's 3x3 convolution
  std::int64_t width_per_group = 64;  ///< of those groups in the first stage
  ResNetStem stem = ResNetStem::kImageNet;
};

using TrunkOptions = std::variant<RegNetOptions, ResNetOptions>;

struct HeadOptions {
  std::vector<std::int64_t> hidden = {512, 512};  ///< widths between
  std::int64_t out = 128;                         ///< embedding dimension
  bool batch_norm = true;
  /// K of each set of prototypes, at least one set. The first is the one that
  /// is looked at: choices, health.
  std::vector<std::int64_t> prototypes = {300};
};

struct SwavOptions {
  double temperature = 0.1;
  double epsilon = 0.05;  ///< Sinkhorn's regularisation
  std::int32_t sinkhorn_iterations = 3;
  std::int32_t assign_crops = 2;  ///< the first so many crops give codes
  std::uint64_t freeze_prototypes_steps = 0;
  /// So many first steps take an image's likeliest prototype for its code;
  /// kAlways: all of them.
  std::int64_t hard_assignment_steps = 0;
  std::int64_t queue_images = 0;  ///< kept of each assigning crop; 0: none
  std::uint64_t queue_start_steps = 0;  ///< the queue is filled after so many
  bool pass_per_crop = false;           ///< the trunk sees each crop by itself

  static constexpr std::int64_t kAlways = -1;
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
  TrunkOptions trunk;
  HeadOptions head;
  SwavOptions swav;
  OptimizerOptions optimizer;
  /// Decay per step of the moving average of the weights that is published;
  /// 0: there is none, the weights themselves are published.
  double ema = 0;
  Precision precision = Precision::kFloat32;
  /// Into so many groups the trunk's blocks are divided; all but the last
  /// compute their activations anew in the backward pass. 0: none does.
  std::int32_t checkpoint_groups = 0;
  std::int32_t threads = 0;  ///< of the step; 0: all cores
  /// What is computed on, see `choose_device`.
  std::string device = "cpu";
  // Written into preprocessor_config.json; nothing is computed with them.
  std::int32_t eval_resize = 256;
  std::int32_t eval_size = 224;
  std::array<double, 3> mean = {0.485, 0.456, 0.406};
  std::array<double, 3> std = {0.229, 0.224, 0.225};
};

}  // namespace swavd::trainer
