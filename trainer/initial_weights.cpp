#include "trainer/initial_weights.h"

#include <utility>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ops/base/check.h"
#include "trainer/model/check_options.h"
#include "trainer/model/tensor_specs.h"
#include "trainer/model/trunk_design.h"
#include "trainer/model/weight_match.h"

namespace swavd::trainer {

namespace {

/// All tensors of a model, and how those of its trunk are named.
struct ModelTensors {
  std::vector<TensorSpec> specs;
  state::TrunkFamily family = state::TrunkFamily::kRegNetY;
  state::Layout layout = state::Layout::kHuggingFace;
};

state::TrunkFamily family_of(const TrunkOptions& options) {
  const auto* regnet = std::get_if<RegNetOptions>(&options);
  if (regnet == nullptr) {
    return state::TrunkFamily::kResNet;
  }
  return regnet->type == RegNetType::kX ? state::TrunkFamily::kRegNetX
                                        : state::TrunkFamily::kRegNetY;
}

/// Errors: those of the options.
Result<ModelTensors> tensors_of(const TrainerOptions& options) {
  SWAVD_RETURN_IF_ERROR(check_options(options));
  const auto design = design_trunk(options.trunk);
  if (!design.ok()) {
    return design.error();
  }
  ModelTensors model;
  model.family = family_of(options.trunk);
  model.layout = design.value().names == NameStyle::kTimm
                     ? state::Layout::kTimm
                     : state::Layout::kHuggingFace;
  model.specs = trunk_specs(design.value());
  for (TensorSpec& spec : head_specs(design.value().features(), options.head)) {
    model.specs.push_back(std::move(spec));
  }
  return model;
}

std::string outline_text(const TrunkOutline& outline) {
  return fmt::format(
      "{} blocks of {} channels",
      fmt::join(outline.depths, ", "),
      fmt::join(outline.widths, ", "));
}

/// How the two trunks differ at large, and what to do; empty when only details
/// differ.
std::string advice(
    const std::vector<TensorSpec>& specs,
    const std::vector<state::TensorEntry>& tensors,
    const state::ForeignNames& names) {
  OutlineReader ours;
  for (const TensorSpec& spec : specs) {
    ours.add(spec.name, spec.shape);
  }
  OutlineReader theirs;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    theirs.add(names.names[i].name, tensors[i].shape);
  }
  if (ours.outline() == theirs.outline()) {
    return "";
  }
  const bool rounded = names.layout == state::Layout::kTorchvision &&
                       ours.outline().depths == theirs.outline().depths;
  return fmt::format(
      "; its trunk has {}, this model's {}: set [model] to the trunk of the "
      "file, by a preset or by depth, w0, wa, wm and group_width{}",
      outline_text(theirs.outline()),
      outline_text(ours.outline()),
      rounded ? " (torchvision rounds widths to whole groups in its own way: "
                "no values give its 800MF and 8GF)"
              : "");
}

void add_part(
    std::vector<std::string>& lines,
    const char* what,
    const PartMatch& part) {
  if (part.taken) {
    lines.push_back(fmt::format(
        "{}: {} of {} tensors match", what, part.matched, part.wanted));
  } else if (part.found == 0 && part.extra == 0) {
    lines.push_back(
        fmt::format("{}: the file has none, it begins at random", what));
  } else if (part.first_mismatch.empty()) {
    lines.push_back(fmt::format(
        "{}: they belong to the file's head and are left out with it", what));
  } else {
    lines.push_back(fmt::format(
        "{}: the file's does not fit and is left out, it begins at random "
        "({} of {} tensors match; {})",
        what,
        part.matched,
        part.wanted,
        part.first_mismatch));
  }
}

}  // namespace

std::vector<std::string> report_lines(const InitReport& report) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format(
      "{}: {} names{}, {} file{}",
      report.path,
      to_string(report.layout),
      report.prefix.empty() ? "" : fmt::format(" behind \"{}\"", report.prefix),
      report.files,
      report.files == 1 ? "" : "s"));
  add_part(lines, "trunk", report.trunk);
  add_part(lines, "head", report.head);
  add_part(lines, "prototypes", report.prototypes);
  for (const auto& [dtype, count] : report.converted) {
    lines.push_back(fmt::format(
        "converted: {} tensors from {} to F32{}",
        count,
        dtype,
        dtype == "F64" ? ", rounded" : ""));
  }
  if (report.classifier > 0) {
    lines.push_back(
        fmt::format("left out: a classifier, {} tensors", report.classifier));
  }
  if (report.unknown > 0) {
    lines.push_back(fmt::format(
        "left out: {} tensors without a meaning here, the first {}",
        report.unknown,
        report.first_unknown));
  }
  return lines;
}

Result<InitialWeights> InitialWeights::plan(
    const TrainerOptions& options,
    state::WeightFiles files) {
  const auto model = tensors_of(options);
  if (!model.ok()) {
    return model.error();
  }
  const auto& [specs, family, layout] = model.value();
  std::vector<std::string> their_names;
  std::vector<state::TensorEntry> tensors;
  for (const state::ForeignTensor& tensor : files.tensors()) {
    their_names.push_back(tensor.entry.name);
    tensors.push_back(tensor.entry);
  }
  const auto config_error = [&files](const std::string& what) {
    return Error{
        ErrorCode::kConfig, fmt::format("{}: {}", files.path().string(), what)};
  };
  const auto names = state::recognise_names(family, their_names, layout);
  if (!names.ok()) {
    return config_error(names.error().message);
  }
  WeightMatch match = match_weights(specs, tensors, names.value(), family);
  if (!match.trunk.taken) {
    return config_error(fmt::format(
        "the trunk in it ({} names) is not this model's: {} of {} tensors "
        "match, the first difference: {}{}",
        to_string(names.value().layout),
        match.trunk.matched,
        match.trunk.wanted,
        match.trunk.first_mismatch,
        advice(specs, tensors, names.value())));
  }
  InitReport report;
  report.path = files.path().string();
  report.layout = names.value().layout;
  report.prefix = names.value().prefix;
  report.files = files.files().size();
  report.trunk = std::move(match.trunk);
  report.head = std::move(match.head);
  report.prototypes = std::move(match.prototypes);
  report.classifier = match.classifier;
  report.unknown = match.unknown;
  report.first_unknown = std::move(match.first_unknown);
  for (const auto& [name, source] : match.sources) {
    const state::DType dtype = tensors[source].dtype;
    if (dtype != state::DType::kF32 && dtype != state::DType::kI64) {
      ++report.converted[std::string(to_string(dtype))];
    }
  }
  return InitialWeights(
      std::move(files), std::move(report), std::move(match.sources));
}

InitialWeights::InitialWeights(
    state::WeightFiles files,
    InitReport report,
    std::map<std::string, std::size_t> sources)
    : files_(std::move(files)),
      report_(std::move(report)),
      sources_(std::move(sources)) {}

Status InitialWeights::read(const std::string& name, std::span<float> into)
    const {
  SWAVD_CHECK(has(name));
  return files_.read_floats(files_.tensors()[sources_.at(name)], into);
}

Result<std::int64_t> InitialWeights::read_counter(
    const std::string& name) const {
  SWAVD_CHECK(has(name));
  return files_.read_integer(files_.tensors()[sources_.at(name)]);
}

}  // namespace swavd::trainer
