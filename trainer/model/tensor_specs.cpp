#include "trainer/model/tensor_specs.h"

#include <fmt/format.h>

namespace swavd::trainer {

namespace {

using Specs = std::vector<TensorSpec>;

struct ConvShape {
  std::int64_t out = 0;
  std::int64_t in_per_group = 0;
  std::int64_t kernel = 1;
};

void add_conv(Specs& specs, const std::string& name, const ConvShape& conv) {
  // The fan-out of a grouped convolution is not divided by its groups.
  specs.push_back(
      {name + ".weight",
       {conv.out, conv.in_per_group, conv.kernel, conv.kernel},
       Role::kParameter,
       Init::kNormalFanOut,
       conv.kernel * conv.kernel * conv.out});
}

void add_batch_norm(Specs& specs, const std::string& name, std::int64_t width) {
  using enum Role;
  specs.push_back({name + ".weight", {width}, kParameter, Init::kOnes, 1});
  specs.push_back({name + ".bias", {width}, kParameter, Init::kZeros, 1});
  specs.push_back(
      {name + ".running_mean", {width}, kStatistic, Init::kZeros, 1});
  specs.push_back({name + ".running_var", {width}, kStatistic, Init::kOnes, 1});
  specs.push_back(
      {name + ".num_batches_tracked", {}, kCounter, Init::kZeros, 1});
}

void add_conv_norm(
    Specs& specs,
    const std::string& name,
    const ConvShape& conv) {
  add_conv(specs, name + ".convolution", conv);
  add_batch_norm(specs, name + ".normalization", conv.out);
}

void add_bias(
    Specs& specs,
    const std::string& name,
    std::int64_t width,
    std::int64_t inputs) {
  specs.push_back(
      {name + ".bias", {width}, Role::kParameter, Init::kUniformFanIn, inputs});
}

void add_block(
    Specs& specs,
    const std::string& name,
    std::int64_t input_width,
    const StageDesign& stage,
    bool shortcut,
    double se_ratio) {
  const std::int64_t width = stage.width;
  const std::int64_t squeezed = se_width(input_width, se_ratio);
  if (shortcut) {
    add_conv_norm(specs, name + ".shortcut", {width, input_width, 1});
  }
  add_conv_norm(specs, name + ".layer.0", {width, input_width, 1});
  add_conv_norm(specs, name + ".layer.1", {width, stage.group_width, 3});
  add_conv(specs, name + ".layer.2.attention.0", {squeezed, width, 1});
  add_bias(specs, name + ".layer.2.attention.0", squeezed, width);
  add_conv(specs, name + ".layer.2.attention.2", {width, squeezed, 1});
  add_bias(specs, name + ".layer.2.attention.2", width, squeezed);
  add_conv_norm(specs, name + ".layer.3", {width, width, 1});
}

}  // namespace

std::string block_name(std::size_t stage, std::int64_t block) {
  return fmt::format("encoder.stages.{}.layers.{}", stage, block);
}

std::vector<TensorSpec> trunk_specs(const RegNetDesign& design) {
  Specs specs;
  add_conv_norm(specs, "embedder.embedder", {design.stem_width, 3, 3});
  std::int64_t input_width = design.stem_width;
  for (std::size_t s = 0; s < design.stages.size(); ++s) {
    const StageDesign& stage = design.stages[s];
    for (std::int64_t block = 0; block < stage.depth; ++block) {
      // The first block has stride 2, so it always projects its shortcut.
      add_block(
          specs,
          block_name(s, block),
          input_width,
          stage,
          /*shortcut=*/block == 0,
          design.se_ratio);
      input_width = stage.width;
    }
  }
  return specs;
}

std::string prototypes_name(std::size_t set, std::size_t sets) {
  return sets == 1 ? "prototypes.weight"
                   : fmt::format("prototypes.{}.weight", set);
}

std::size_t head_position(std::size_t layer, const HeadOptions& options) {
  return layer * (options.batch_norm ? 3 : 2);
}

std::vector<TensorSpec> head_specs(
    std::int64_t features,
    const HeadOptions& options) {
  Specs specs;
  std::int64_t inputs = features;
  const auto add_linear = [&](std::size_t layer, std::int64_t outputs) {
    const std::string name =
        fmt::format("projection_head.{}", head_position(layer, options));
    specs.push_back(
        {name + ".weight",
         {outputs, inputs},
         Role::kParameter,
         Init::kUniformFanIn,
         inputs});
    add_bias(specs, name, outputs, inputs);
    inputs = outputs;
  };
  for (std::size_t layer = 0; layer < options.hidden.size(); ++layer) {
    add_linear(layer, options.hidden[layer]);
    if (options.batch_norm) {
      const std::size_t position = head_position(layer, options) + 1;
      add_batch_norm(
          specs, fmt::format("projection_head.{}", position), inputs);
    }
  }
  add_linear(options.hidden.size(), options.out);
  const std::size_t sets = options.prototypes.size();
  for (std::size_t set = 0; set < sets; ++set) {
    specs.push_back(
        {prototypes_name(set, sets),
         {options.prototypes[set], options.out},
         Role::kParameter,
         Init::kUniformFanIn,
         options.out});
  }
  return specs;
}

bool is_head_tensor(std::string_view name) {
  return name.starts_with("projection_head.") ||
         name.starts_with("prototypes.");
}

std::int64_t element_count(const TensorSpec& spec) {
  std::int64_t count = 1;
  for (const std::int64_t extent : spec.shape) {
    count *= extent;
  }
  return count;
}

}  // namespace swavd::trainer
