#include "state/layouts/timm_config.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "state/content/strict_json.h"

namespace swavd::state {

namespace {

using TimmJson = nlohmann::ordered_json;

constexpr std::size_t kPreprocessorDepth = 4;

/// timm's word for a filter of Pillow; nullptr for one it has no word for.
const char* interpolation_word(int resample) {
  constexpr int kLanczos = 1;
  constexpr int kBilinear = 2;
  constexpr int kBicubic = 3;
  switch (resample) {
    case kLanczos:
      return "lanczos";
    case kBilinear:
      return "bilinear";
    case kBicubic:
      return "bicubic";
    default:
      return nullptr;
  }
}

/// The share of the short side that the centre crop keeps, rounded down: timm
/// divides by it and rounds down again.
double crop_share(int size, int resize) {
  constexpr double kSteps = 1e6;
  return std::floor(kSteps * size / resize) / kSteps;
}

}  // namespace

Result<std::string> timm_config_json(
    std::string_view architecture,
    const TrunkShape& shape,
    std::string_view preprocessor) {
  const auto parsed =
      parse_strict_json<TimmJson>(preprocessor, kPreprocessorDepth);
  if (!parsed.ok()) {
    return parsed.error();
  }
  const TimmJson& from = parsed.value();
  const auto number = [&](const char* pointer) {
    const TimmJson::json_pointer at(pointer);
    return from.contains(at) && from[at].is_number_unsigned()
               ? from[at].get<int>()
               : 0;
  };
  const int size = number("/crop_size/height");
  const int resize = number("/size/shortest_edge");
  const char* interpolation = interpolation_word(number("/resample"));
  if (size < 1 || resize < size || interpolation == nullptr ||
      !from.contains("image_mean") || !from.contains("image_std")) {
    return Error{
        ErrorCode::kCorruption,
        "crop_size, size, resample, image_mean or image_std is missing or "
        "wrong"};
  }
  const bool resnet = shape.family == TrunkFamily::kResNet;
  const TimmJson config{
      {"architecture", architecture},
      {"num_classes", 0},
      {"num_features", shape.widths.back()},
      {"global_pool", "avg"},
      {"pretrained_cfg",
       {{"custom_load", false},
        {"input_size", {3, size, size}},
        {"fixed_input_size", false},
        {"interpolation", interpolation},
        {"crop_pct", crop_share(size, resize)},
        {"crop_mode", "center"},
        {"mean", from["image_mean"]},
        {"std", from["image_std"]},
        {"num_classes", 0},
        {"first_conv", resnet ? "conv1" : "stem.conv"},
        {"classifier", resnet ? "fc" : "head.fc"}}}};
  constexpr int kIndent = 2;
  return config.dump(kIndent) + "\n";
}

}  // namespace swavd::state
