#include "state/layouts/trunk_shape.h"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "state/content/strict_json.h"

namespace swavd::state {

namespace {

using ConfigJson = nlohmann::json;

/// Labels of a fine-tuned model lie one deeper than the rest.
constexpr std::size_t kConfigDepth = 4;

/// A member of an object, null when there is none.
ConfigJson field(const ConfigJson& json, const char* name) {
  return json.is_object() && json.contains(name) ? json[name] : ConfigJson();
}

std::string text_in(const ConfigJson& json, const char* name) {
  const ConfigJson value = field(json, name);
  return value.is_string() ? value.get<std::string>() : std::string();
}

/// 0 when there is none.
std::int64_t count_in(const ConfigJson& json, const char* name) {
  const ConfigJson value = field(json, name);
  return value.is_number_unsigned() ? value.get<std::int64_t>() : 0;
}

/// Empty when it is no list of them.
std::vector<std::int64_t> counts_in(const ConfigJson& json, const char* name) {
  std::vector<std::int64_t> counts;
  const ConfigJson list = field(json, name);
  if (!list.is_array()) {
    return {};
  }
  for (const ConfigJson& item : list) {
    if (!item.is_number_unsigned()) {
      return {};
    }
    counts.push_back(item.get<std::int64_t>());
  }
  return counts;
}

Error wrong_field(const char* names) {
  return {
      ErrorCode::kCorruption, fmt::format("{} are missing or wrong", names)};
}

Error unknown_trunk(const std::string& type, const std::string& layers) {
  if (type == "swavd-ledger") {
    return {
        ErrorCode::kInvalidArgument,
        "there is no model in it: a ledger only accounts for what it was fed"};
  }
  return {
      ErrorCode::kInvalidArgument,
      fmt::format(
          "its trunk is \"{}\" of \"{}\" layers: only RegNets and ResNets are "
          "known by several names",
          type,
          layers)};
}

/// A config of transformers.
Result<TrunkShape> hugging_face_shape(const ConfigJson& json) {
  const std::string type = text_in(json, "model_type");
  const std::string layers = text_in(json, "layer_type");
  TrunkShape shape;
  if (type == "regnet" && (layers == "x" || layers == "y")) {
    shape.family =
        layers == "x" ? TrunkFamily::kRegNetX : TrunkFamily::kRegNetY;
    shape.architecture = "RegNetModel";
    shape.group_width = count_in(json, "groups_width");
  } else if (
      type == "resnet" && (layers == "basic" || layers == "bottleneck")) {
    shape.family = TrunkFamily::kResNet;
    shape.architecture = "ResNetModel";
    shape.block = layers;
  } else {
    return unknown_trunk(type, layers);
  }
  shape.stem_width = count_in(json, "embedding_size");
  shape.depths = counts_in(json, "depths");
  shape.widths = counts_in(json, "hidden_sizes");
  const bool grouped = shape.family != TrunkFamily::kResNet;
  if (shape.stem_width == 0 || shape.depths.empty() ||
      shape.depths.size() != shape.widths.size() ||
      (grouped && shape.group_width == 0)) {
    return wrong_field("depths, hidden_sizes, groups_width or embedding_size");
  }
  return shape;
}

/// A config of timm's model hub: swavd writes one for the ResNets that
/// transformers cannot build.
Result<TrunkShape> timm_shape(const ConfigJson& json) {
  TrunkShape shape;
  shape.family = TrunkFamily::kResNet;
  shape.own = Layout::kTimm;
  shape.architecture = text_in(json, "architecture");
  if (!shape.architecture.starts_with("resnet")) {
    return unknown_trunk(shape.architecture, "timm's");
  }
  shape.depths = counts_in(field(json, "model_args"), "layers");
  if (shape.depths.empty()) {
    return wrong_field("model_args.layers");
  }
  return shape;
}

}  // namespace

Result<TrunkShape> parse_trunk_shape(std::string_view config) {
  const auto parsed = parse_strict_json<ConfigJson>(config, kConfigDepth);
  if (!parsed.ok()) {
    return parsed.error();
  }
  return field(parsed.value(), "architecture").is_string()
             ? timm_shape(parsed.value())
             : hugging_face_shape(parsed.value());
}

}  // namespace swavd::state
