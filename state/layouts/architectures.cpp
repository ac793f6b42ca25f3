// The trunks that libraries have a name for: pycls's RegNetYs from 200MF to
// 32GF, the larger ones that SEER added, and the ResNets of 2015.
#include "state/layouts/architectures.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace swavd::state {

namespace {

constexpr std::int64_t kStemWidth = 32;  ///< of all RegNets
constexpr std::size_t kStages = 4;

struct KnownShape {
  Architecture names;
  std::array<std::int64_t, kStages> depths;
  std::array<std::int64_t, kStages> widths;
  std::int64_t group_width;
};

// torchvision rounds a width up to whole groups where pycls rounds to the
// nearest, half to even: two of its models came out wider.
constexpr KnownShape kKnownShapes[] = {
    {{"regnety_002", "", ""}, {1, 1, 4, 7}, {24, 56, 152, 368}, 8},
    {{"regnety_004", "regnet_y_400mf", ""},
     {1, 3, 6, 6},
     {48, 104, 208, 440},
     8},
    {{"regnety_006", "", ""}, {1, 3, 7, 4}, {48, 112, 256, 608}, 16},
    {{"regnety_008", "regnet_y_800mf", "64, 144, 320, 784"},
     {1, 3, 8, 2},
     {64, 128, 320, 768},
     16},
    {{"regnety_016", "regnet_y_1_6gf", ""},
     {2, 6, 17, 2},
     {48, 120, 336, 888},
     24},
    {{"regnety_032", "regnet_y_3_2gf", ""},
     {2, 5, 13, 1},
     {72, 216, 576, 1512},
     24},
    {{"regnety_040", "", ""}, {2, 6, 12, 2}, {128, 192, 512, 1088}, 64},
    {{"regnety_064", "", ""}, {2, 7, 14, 2}, {144, 288, 576, 1296}, 72},
    {{"regnety_080", "regnet_y_8gf", "224, 448, 896, 2016"},
     {2, 4, 10, 1},
     {168, 448, 896, 2016},
     56},
    {{"regnety_120", "", ""}, {2, 5, 11, 1}, {224, 448, 896, 2240}, 112},
    {{"regnety_160", "regnet_y_16gf", ""},
     {2, 4, 11, 1},
     {224, 448, 1232, 3024},
     112},
    {{"regnety_320", "regnet_y_32gf", ""},
     {2, 5, 12, 1},
     {232, 696, 1392, 3712},
     232},
    {{"regnety_640", "", ""}, {2, 5, 12, 1}, {328, 984, 1968, 4920}, 328},
    {{"regnety_1280", "regnet_y_128gf", ""},
     {2, 7, 17, 1},
     {528, 1056, 2904, 7392},
     264},
    {{"regnety_2560", "", ""}, {2, 7, 17, 1}, {746, 1492, 4103, 10444}, 373}};

/// torchvision and timm have the same names and the same widths.
struct KnownResNet {
  std::string_view name;
  std::string_view block;
  std::array<std::int64_t, kStages> depths;
};

constexpr KnownResNet kKnownResNets[] = {
    {"resnet18", "basic", {2, 2, 2, 2}},
    {"resnet34", "basic", {3, 4, 6, 3}},
    {"resnet50", "bottleneck", {3, 4, 6, 3}},
    {"resnet101", "bottleneck", {3, 4, 23, 3}},
    {"resnet152", "bottleneck", {3, 8, 36, 3}}};

template <std::size_t N>
bool same(
    const std::array<std::int64_t, N>& known,
    const std::vector<std::int64_t>& given) {
  return std::equal(known.begin(), known.end(), given.begin(), given.end());
}

Architecture regnet_of(const TrunkShape& shape) {
  for (const KnownShape& known : kKnownShapes) {
    if (shape.stem_width == kStemWidth &&
        known.group_width == shape.group_width &&
        same(known.depths, shape.depths) && same(known.widths, shape.widths)) {
      return known.names;
    }
  }
  return {};
}

Architecture resnet_of(const TrunkShape& shape) {
  constexpr std::int64_t kWidth =
      64;  // of the stem, and the first stage inside
  const std::int64_t factor = shape.block == "basic" ? 1 : 4;
  const std::array<std::int64_t, kStages> widths = {
      kWidth * factor,
      2 * kWidth * factor,
      4 * kWidth * factor,
      8 * kWidth * factor};
  for (const KnownResNet& known : kKnownResNets) {
    if (shape.stem_width == kWidth && known.block == shape.block &&
        same(known.depths, shape.depths) && same(widths, shape.widths)) {
      return {known.name, known.name, ""};
    }
  }
  return {};
}

}  // namespace

Architecture architecture_of(const TrunkShape& shape) {
  switch (shape.family) {
    case TrunkFamily::kRegNetY:
      return regnet_of(shape);
    case TrunkFamily::kResNet:
      return resnet_of(shape);
    case TrunkFamily::kRegNetX:
      break;
  }
  return {};
}

}  // namespace swavd::state
