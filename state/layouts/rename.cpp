#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "state/layouts.h"
#include "state/layouts/family_names.h"
#include "state/layouts/name_pattern.h"

namespace swavd::state {

namespace {

constexpr std::string_view kProjection = "projection_head.";
constexpr std::string_view kPrototypes = "prototypes.";

std::optional<std::string_view> look_up(
    std::span<const Names> table,
    std::string_view stem,
    Layout from,
    Layout to) {
  for (const Names& names : table) {
    if (in_layout(names, from) == stem) {
      return in_layout(names, to);
    }
  }
  return std::nullopt;
}

/// True for what a convolution, normalisation or linear layer holds.
bool is_leaf(std::string_view leaf) {
  return leaf == "weight" || leaf == "bias" || leaf == "running_mean" ||
         leaf == "running_var" || leaf == "num_batches_tracked";
}

std::optional<std::string> renamed(
    const FamilyNames& names,
    std::string_view name,
    Layout from,
    Layout to) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || !is_leaf(name.substr(dot + 1))) {
    return std::nullopt;
  }
  const std::string_view stem = name.substr(0, dot);
  const std::string_view leaf = name.substr(dot);
  const auto block = match(in_layout(names.block, from), stem);
  const auto found = block ? look_up(names.inside, block->rest, from, to)
                           : look_up(names.outside, stem, from, to);
  if (!found) {
    return std::nullopt;
  }
  return fmt::format(
      "{}{}{}",
      block ? fill(in_layout(names.block, to), block->place) : "",
      *found,
      leaf);
}

}  // namespace

std::string_view to_string(Layout layout) {
  switch (layout) {
    case Layout::kHuggingFace:
      return "hf";
    case Layout::kTorchvision:
      return "torchvision";
    case Layout::kTimm:
      return "timm";
    case Layout::kVissl:
      return "vissl";
  }
  SWAVD_CHECK(false);
}

std::optional<Layout> layout_from(std::string_view word) {
  for (const Layout layout : kLayouts) {
    if (word == to_string(layout)) {
      return layout;
    }
  }
  return std::nullopt;
}

std::string_view in_layout(const Names& names, Layout layout) {
  switch (layout) {
    case Layout::kHuggingFace:
      return names.hugging_face;
    case Layout::kTorchvision:
      return names.torchvision;
    case Layout::kTimm:
      return names.timm;
    case Layout::kVissl:
      return names.vissl;
  }
  SWAVD_CHECK(false);
}

const FamilyNames& names_of(TrunkFamily family) {
  switch (family) {
    case TrunkFamily::kRegNetX:
      return kRegNetXNames;
    case TrunkFamily::kRegNetY:
      return kRegNetYNames;
    case TrunkFamily::kResNet:
      return kResNetNames;
  }
  SWAVD_CHECK(false);
}

Result<std::string>
rename(TrunkFamily family, std::string_view name, Layout from, Layout to) {
  auto found = renamed(names_of(family), name, from, to);
  if (!found) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{} is no tensor of such a trunk in {} names",
            name,
            to_string(from))};
  }
  return std::move(*found);
}

Result<std::string> rename_head(std::string_view name, Layout to) {
  if (!name.starts_with(kProjection) && !name.starts_with(kPrototypes)) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("{} is no tensor of the head", name)};
  }
  if (to != Layout::kVissl) {
    return std::string(name);
  }
  if (name == "prototypes.weight") {
    return std::string("0.prototypes0.weight");
  }
  // Of several sets, "prototypes.1.weight" and so on.
  return name.starts_with(kPrototypes)
             ? fmt::format("0.prototypes{}", name.substr(kPrototypes.size()))
             : fmt::format("0.{}", name);
}

}  // namespace swavd::state
