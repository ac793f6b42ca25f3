#include "state/layouts/export_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "state/content/snapshot_info.h"
#include "state/layouts/architectures.h"
#include "state/layouts/timm_config.h"

namespace swavd::state {

namespace {

using PlanJson = nlohmann::ordered_json;

constexpr const char* kConfigName = "config.json";
constexpr const char* kPreprocessorName = "preprocessor_config.json";

Result<std::string> read_text(SnapshotReader& snapshot, const char* name) {
  const auto bytes = read_verified(snapshot, name);
  if (!bytes.ok()) {
    return bytes.error();
  }
  return std::string(as_text(bytes.value()));
}

Error deviating(const TrunkShape& shape, const Architecture& names) {
  return {
      ErrorCode::kInvalidArgument,
      fmt::format(
          "torchvision cannot hold these weights: its {} has stages of {} "
          "channels where this model, as pycls, timm and Hugging Face, has {}: "
          "torchvision rounds widths to whole groups in its own way; export "
          "with --layout timm (it is {} there) or --layout hf",
          names.torchvision,
          names.torchvision_widths,
          fmt::join(shape.widths, ", "),
          names.timm)};
}

Error only_elsewhere(const TrunkShape& shape) {
  return {
      ErrorCode::kInvalidArgument,
      fmt::format(
          "transformers' ResNetModel cannot be built with this stem, these "
          "groups or these widths; export with --layout timm (as {}) or "
          "torchvision",
          shape.architecture)};
}

/// How to build what the library has no name for.
std::string note_on(Layout layout, const TrunkShape& shape) {
  if (shape.family == TrunkFamily::kResNet) {
    return fmt::format(
        "{} has no name for this ResNet: build it with blocks {} and the keys "
        "of the snapshot's [model]",
        to_string(layout),
        fmt::join(shape.depths, ", "));
  }
  const std::string what = fmt::format(
      "{} has no model with stages of {} blocks and {} channels in groups of "
      "{}",
      to_string(layout),
      fmt::join(shape.depths, ", "),
      fmt::join(shape.widths, ", "),
      shape.group_width);
  return layout == Layout::kTimm
             ? what +
                   ": there is no config.json; build it with "
                   "timm.models.regnet.RegNet and a RegNetCfg of the "
                   "snapshot's [model]"
             : what +
                   ": build it with torchvision.models.regnet.RegNet and "
                   "BlockParams of these numbers";
}

/// Which architecture the weights fit in `layout`, and what to say about it.
Status choose_architecture(Layout layout, ExportPlan& plan) {
  const TrunkShape& shape = plan.shape;
  const Architecture names = architecture_of(shape);
  switch (layout) {
    case Layout::kHuggingFace:
      if (shape.own != layout) {
        return only_elsewhere(shape);
      }
      plan.architecture = shape.architecture;
      return ok_status();
    case Layout::kVissl:
      plan.note = "VISSL loads it after the lines in ops/docs/weights.md";
      return ok_status();
    case Layout::kTorchvision:
      if (!names.torchvision_widths.empty()) {
        return deviating(shape, names);
      }
      plan.architecture = names.torchvision;
      break;
    case Layout::kTimm:
      plan.architecture =
          shape.own == layout ? shape.architecture : std::string(names.timm);
      break;
  }
  if (plan.architecture.empty()) {
    plan.note = note_on(layout, shape);
  }
  return ok_status();
}

/// The small files of the folder.
Status add_texts(
    SnapshotReader& snapshot,
    Layout layout,
    const std::string& config,
    ExportPlan& plan) {
  auto preprocessor = read_text(snapshot, kPreprocessorName);
  if (!preprocessor.ok()) {
    return preprocessor.error();
  }
  if (layout == Layout::kTimm && plan.shape.own != layout &&
      !plan.architecture.empty()) {
    auto timm =
        timm_config_json(plan.architecture, plan.shape, preprocessor.value());
    if (!timm.ok()) {
      return timm.error().with_context(kPreprocessorName);
    }
    plan.texts.emplace_back(kConfigName, std::move(timm).value());
    return ok_status();
  }
  if (layout == plan.shape.own) {
    plan.texts.emplace_back(kConfigName, config);
  }
  plan.texts.emplace_back(kPreprocessorName, std::move(preprocessor).value());
  return ok_status();
}

}  // namespace

Result<ExportPlan> plan_export(SnapshotReader& snapshot, Layout layout) {
  if (find_file(snapshot.manifest(), kConfigName) == nullptr) {
    return Error{ErrorCode::kInvalidArgument, "there is no model in it"};
  }
  const auto config = read_text(snapshot, kConfigName);
  if (!config.ok()) {
    return config.error();
  }
  auto shape = parse_trunk_shape(config.value());
  if (!shape.ok()) {
    return shape.error().with_context(kConfigName);
  }
  ExportPlan plan;
  plan.shape = std::move(shape).value();
  SWAVD_RETURN_IF_ERROR(choose_architecture(layout, plan));
  SWAVD_RETURN_IF_ERROR(add_texts(snapshot, layout, config.value(), plan));
  return plan;
}

std::map<std::string, std::string> export_metadata(
    const SnapshotReader& snapshot,
    Layout layout,
    const ExportPlan& plan) {
  const TrunkShape& shape = plan.shape;
  std::map<std::string, std::string> metadata = {
      {"snapshot", snapshot.id()},
      {"layout", std::string(to_string(layout))},
      {"depths", PlanJson(shape.depths).dump()}};
  if (!shape.widths.empty()) {
    metadata["widths"] = PlanJson(shape.widths).dump();
  }
  if (shape.group_width > 0) {
    metadata["group_width"] = std::to_string(shape.group_width);
  }
  if (!plan.architecture.empty()) {
    metadata["architecture"] = plan.architecture;
  }
  return metadata;
}

}  // namespace swavd::state
