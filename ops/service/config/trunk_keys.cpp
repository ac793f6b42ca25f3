#include "ops/service/config/trunk_keys.h"

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ops/base/check.h"
#include "ops/service/config/binding.h"
#include "ops/service/config/keys.h"

namespace swavd::service {
namespace {

constexpr std::string_view kTrunkKey = "model.trunk";
constexpr std::string_view kRegNetKeys[] = {
    "model.depth",
    "model.w0",
    "model.wa",
    "model.wm",
    "model.group_width",
    "model.stem_width"};
constexpr std::string_view kRegNetYKeys[] = {"model.se_ratio"};
constexpr std::string_view kResNetKeys[] = {
    "model.block",
    "model.stage_depths",
    "model.widen",
    "model.groups",
    "model.width_per_group",
    "model.stem"};

/// Reports those of `keys` that are not at their defaults, `trunks` being
/// whose they are.
void reject_keys(
    std::span<const std::string_view> keys,
    std::string_view trunks,
    const Config& config,
    std::vector<Contradiction>& found) {
  const Config defaults;
  std::vector<std::string_view> places = {kTrunkKey};
  std::vector<std::string> settings;
  for (const std::string_view name : keys) {
    const Key* key = find_key(name);
    SWAVD_CHECK(key != nullptr);
    const std::string value = to_toml(value_of(*key, config));
    if (value != to_toml(value_of(*key, defaults))) {
      places.push_back(name);
      settings.push_back(fmt::format("{} = {}", name, value));
    }
  }
  if (!settings.empty()) {
    found.push_back(
        {std::move(places),
         fmt::format(
             "is \"{}\", but {} can only be given to {}: leave out one or the "
             "other, or take another model.preset",
             config.model.trunk,
             fmt::join(settings, ", "),
             trunks)});
  }
}

void check_resnet(const ModelConfig& model, std::vector<Contradiction>& found) {
  const bool grouped = model.groups != 1 || model.width_per_group != 64;
  if (grouped && model.block == "basic") {
    found.push_back(
        {{"model.block", "model.groups", "model.width_per_group"},
         "is \"basic\", which has no groups: take \"bottleneck\", or leave "
         "model.groups at 1 and model.width_per_group at 64"});
  }
  if (model.widen != 1 && (grouped || model.stem == "cifar")) {
    found.push_back(
        {{"model.widen", "model.groups", "model.width_per_group", "model.stem"},
         fmt::format(
             "{} is for a ResNet that is plain otherwise: leave "
             "model.groups, model.width_per_group and model.stem out, or widen "
             "by model.width_per_group alone",
             model.widen)});
  }
}

}  // namespace

void check_trunk_keys(const Config& config, std::vector<Contradiction>& found) {
  const ModelConfig& model = config.model;
  if (model.trunk == "resnet") {
    reject_keys(kRegNetKeys, "regnet_y and regnet_x", config, found);
    check_resnet(model, found);
  } else {
    reject_keys(kResNetKeys, "resnet", config, found);
  }
  if (model.trunk != "regnet_y") {
    reject_keys(kRegNetYKeys, "regnet_y", config, found);
  } else if (model.se_ratio != ModelConfig{}.se_ratio) {
    found.push_back(
        {{"model.se_ratio"},
         fmt::format(
             "{} is not 0.25, the only one that transformers builds: leave it "
             "out, or take model.trunk = \"regnet_x\" for none",
             model.se_ratio)});
  }
}

}  // namespace swavd::service
