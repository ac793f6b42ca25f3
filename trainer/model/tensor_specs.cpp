#include "trainer/model/tensor_specs.h"

#include <fmt/format.h>

namespace swavd::trainer {

namespace {

using Specs = std::vector<TensorSpec>;

void add_conv(Specs& specs, const std::string& name, const ConvShape& conv) {
  // The fan-out of a grouped convolution is not divided by its groups.
  specs.push_back(
      {name + ".weight",
       {conv.out, conv.in / conv.groups, conv.kernel, conv.kernel},
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

void add_conv_norm(Specs& specs, const ConvDesign& design) {
  add_conv(specs, design.conv, design.shape);
  add_batch_norm(specs, design.norm, design.shape.out);
}

void add_bias(
    Specs& specs,
    const std::string& name,
    std::int64_t width,
    std::int64_t inputs) {
  specs.push_back(
      {name + ".bias", {width}, Role::kParameter, Init::kUniformFanIn, inputs});
}

void add_attention(Specs& specs, const AttentionDesign& attention) {
  const std::string squeeze = attention.name + ".attention.0";
  const std::string excite = attention.name + ".attention.2";
  add_conv(specs, squeeze, {attention.width, attention.squeezed});
  add_bias(specs, squeeze, attention.squeezed, attention.width);
  add_conv(specs, excite, {attention.squeezed, attention.width});
  add_bias(specs, excite, attention.width, attention.squeezed);
}

void add_block(Specs& specs, const BlockDesign& block) {
  if (block.shortcut) {
    add_conv_norm(specs, *block.shortcut);
  }
  for (std::size_t i = 0; i < block.convs.size(); ++i) {
    if (block.attention && i + 1 == block.convs.size()) {
      add_attention(specs, *block.attention);
    }
    add_conv_norm(specs, block.convs[i]);
  }
}

}  // namespace

std::vector<TensorSpec> trunk_specs(const TrunkDesign& design) {
  Specs specs;
  add_conv_norm(specs, design.stem);
  for (const std::vector<BlockDesign>& blocks : design.stages) {
    for (const BlockDesign& block : blocks) {
      add_block(specs, block);
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
