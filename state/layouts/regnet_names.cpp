// Names of RegNet trunks, as the four libraries' sources have them.
#include "state/layouts/family_names.h"

namespace swavd::state {

namespace {

constexpr Names kBlock = {
    "encoder.stages.{s}.layers.{b}.",
    "trunk_output.block{s+1}.block{s+1}-{b}.",
    "s{s+1}.b{b+1}.",
    "_feature_blocks.res{s+2}.block{s+1}-{b}."};

constexpr Names kStem[] = {
    {"embedder.embedder.convolution",
     "stem.0",
     "stem.conv",
     "_feature_blocks.conv1.stem.0"},
    {"embedder.embedder.normalization",
     "stem.1",
     "stem.bn",
     "_feature_blocks.conv1.stem.1"}};

// VISSL's classifier is a head: "heads.0.clf.0".
constexpr Names kClassifier = {"classifier.1", "fc", "head.fc", "clf.0"};

// Both types alike.
constexpr Names kA = {"layer.0.convolution", "f.a.0", "conv1.conv", "f.a.0"};
constexpr Names kANorm = {
    "layer.0.normalization",
    "f.a.1",
    "conv1.bn",
    "f.a.1"};
constexpr Names kB = {"layer.1.convolution", "f.b.0", "conv2.conv", "f.b.0"};
constexpr Names kBNorm = {
    "layer.1.normalization",
    "f.b.1",
    "conv2.bn",
    "f.b.1"};
constexpr Names kShortcut = {
    "shortcut.convolution",
    "proj.0",
    "downsample.conv",
    "proj"};
constexpr Names kShortcutNorm = {
    "shortcut.normalization",
    "proj.1",
    "downsample.bn",
    "bn"};

constexpr Names kInsideX[] = {
    kA,
    kANorm,
    kB,
    kBNorm,
    {"layer.2.convolution", "f.c.0", "conv3.conv", "f.c"},
    {"layer.2.normalization", "f.c.1", "conv3.bn", "f.final_bn"},
    kShortcut,
    kShortcutNorm};

constexpr Names kInsideY[] = {
    kA,
    kANorm,
    kB,
    kBNorm,
    {"layer.2.attention.0", "f.se.fc1", "se.fc1", "f.se.excitation.0"},
    {"layer.2.attention.2", "f.se.fc2", "se.fc2", "f.se.excitation.2"},
    {"layer.3.convolution", "f.c.0", "conv3.conv", "f.c"},
    {"layer.3.normalization", "f.c.1", "conv3.bn", "f.final_bn"},
    kShortcut,
    kShortcutNorm};

}  // namespace

constexpr FamilyNames kRegNetXNames = {kBlock, kStem, kInsideX, kClassifier};
constexpr FamilyNames kRegNetYNames = {kBlock, kStem, kInsideY, kClassifier};

}  // namespace swavd::state
