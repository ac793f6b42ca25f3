// Names of ResNet trunks with basic and bottleneck blocks. torchvision's and
// timm's are the same, and VISSL's are those behind a prefix.
#include "state/layouts/family_names.h"

namespace swavd::state {

namespace {

constexpr Names kBlock = {
    "encoder.stages.{s}.layers.{b}.",
    "layer{s+1}.{b}.",
    "layer{s+1}.{b}.",
    "_feature_blocks.layer{s+1}.{b}."};

constexpr Names kStem[] = {
    {"embedder.embedder.convolution",
     "conv1",
     "conv1",
     "_feature_blocks.conv1"},
    {"embedder.embedder.normalization", "bn1", "bn1", "_feature_blocks.bn1"}};

constexpr Names kClassifier = {"classifier.1", "fc", "fc", "clf.0"};

/// Inside a block three layouts agree.
constexpr Names inside(std::string_view hf, std::string_view others) {
  return {hf, others, others, others};
}

constexpr Names kInside[] = {
    inside("layer.0.convolution", "conv1"),
    inside("layer.0.normalization", "bn1"),
    inside("layer.1.convolution", "conv2"),
    inside("layer.1.normalization", "bn2"),
    inside("layer.2.convolution", "conv3"),
    inside("layer.2.normalization", "bn3"),
    inside("shortcut.convolution", "downsample.0"),
    inside("shortcut.normalization", "downsample.1")};

}  // namespace

constexpr FamilyNames kResNetNames = {kBlock, kStem, kInside, kClassifier};

}  // namespace swavd::state
