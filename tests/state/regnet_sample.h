#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "state/frozen_state.h"
#include "state/layouts.h"
#include "tests/state/sample.h"

namespace swavd::state {

/// A tensor of a RegNet by its Hugging Face name.
struct SampleTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
};

/// Depths, widths and group width of a trunk; the stem has 32 channels.
struct SampleTrunk {
  std::vector<std::int64_t> depths;
  std::vector<std::int64_t> widths;
  std::int64_t group_width = 8;
  TrunkFamily family = TrunkFamily::kRegNetY;
};

/// Every tensor of the trunk, written out here once more so that the maps are
/// held against something that does not use them.
inline std::vector<SampleTensor> trunk_tensors(const SampleTrunk& trunk) {
  std::vector<SampleTensor> tensors;
  const auto add_conv = [&](const std::string& at,
                            const std::vector<std::int64_t>& shape) {
    tensors.push_back({at + ".convolution.weight", DType::kF32, shape});
    for (const char* leaf : {"weight", "bias", "running_mean", "running_var"}) {
      tensors.push_back(
          {at + ".normalization." + leaf, DType::kF32, {shape.front()}});
    }
    tensors.push_back(
        {at + ".normalization.num_batches_tracked", DType::kI64, {}});
  };
  add_conv("embedder.embedder", {32, 3, 3, 3});
  std::int64_t in = 32;
  for (std::size_t s = 0; s < trunk.depths.size(); ++s) {
    const std::int64_t w = trunk.widths[s];
    for (std::int64_t b = 0; b < trunk.depths[s]; ++b) {
      const std::string at = fmt::format("encoder.stages.{}.layers.{}.", s, b);
      if (b == 0) {
        add_conv(at + "shortcut", {w, in, 1, 1});
      }
      add_conv(at + "layer.0", {w, in, 1, 1});
      add_conv(at + "layer.1", {w, trunk.group_width, 3, 3});
      if (trunk.family == TrunkFamily::kRegNetX) {
        add_conv(at + "layer.2", {w, w, 1, 1});
      } else {
        const std::string se = at + "layer.2.attention.";
        const std::int64_t r = in / 4;
        tensors.push_back({se + "0.weight", DType::kF32, {r, w, 1, 1}});
        tensors.push_back({se + "0.bias", DType::kF32, {r}});
        tensors.push_back({se + "2.weight", DType::kF32, {w, r, 1, 1}});
        tensors.push_back({se + "2.bias", DType::kF32, {w}});
        add_conv(at + "layer.3", {w, w, 1, 1});
      }
      in = w;
    }
  }
  return tensors;
}

/// A head of one hidden layer with BatchNorm, and five prototypes.
inline std::vector<SampleTensor> head_tensors(std::int64_t features) {
  return {
      {"projection_head.0.weight", DType::kF32, {6, features}},
      {"projection_head.0.bias", DType::kF32, {6}},
      {"projection_head.1.weight", DType::kF32, {6}},
      {"projection_head.1.running_var", DType::kF32, {6}},
      {"projection_head.1.num_batches_tracked", DType::kI64, {}},
      {"projection_head.3.weight", DType::kF32, {4, 6}},
      {"prototypes.weight", DType::kF32, {5, 4}}};
}

/// The tensors with values of their own as a file. `storage` holds the
/// bytes, which stay where they are while it grows.
inline TensorFile filled_file(
    const std::string& name,
    const std::vector<SampleTensor>& tensors,
    std::vector<ByteVector>& storage) {
  TensorFile file{name, {}, {}};
  for (const SampleTensor& tensor : tensors) {
    std::size_t bytes = size_of(tensor.dtype);
    for (const std::int64_t extent : tensor.shape) {
      bytes *= static_cast<std::size_t>(extent);
    }
    storage.push_back(sample_bytes(storage.size() + 1, bytes));
    file.tensors.push_back(
        {tensor.name, tensor.dtype, tensor.shape, storage.back()});
  }
  return file;
}

/// config.json of such a trunk, as the trainer writes it.
inline std::string hf_config(const SampleTrunk& trunk) {
  return fmt::format(
      R"({{"architectures": ["RegNetModel"], "depths": [{}], )"
      R"("downsample_in_first_stage": true, "embedding_size": 32, )"
      R"("groups_width": {}, "hidden_act": "relu", "hidden_sizes": [{}], )"
      R"("layer_type": "{}", "model_type": "regnet", "num_channels": 3}})",
      fmt::join(trunk.depths, ", "),
      trunk.group_width,
      fmt::join(trunk.widths, ", "),
      trunk.family == TrunkFamily::kRegNetX ? "x" : "y");
}

/// A snapshot's state with that trunk, a head and momenta.
inline FrozenState regnet_state(const SampleTrunk& trunk) {
  auto storage = std::make_shared<std::vector<ByteVector>>();
  FrozenState state;
  state.tensor_files.push_back(
      filled_file("model.safetensors", trunk_tensors(trunk), *storage));
  state.tensor_files.push_back(filled_file(
      "head.safetensors", head_tensors(trunk.widths.back()), *storage));
  state.tensor_files.push_back(filled_file(
      "state.safetensors",
      {{"momentum.prototypes.weight", DType::kF32, {5, 4}}},
      *storage));
  state.text_files = {
      {"config.json", hf_config(trunk)},
      {"preprocessor_config.json",
       R"({"crop_size": {"height": 224, "width": 224}, "resample": 2, )"
       R"("image_mean": [0.485, 0.456, 0.406], )"
       R"("image_std": [0.229, 0.224, 0.225], "size": {"shortest_edge": 256}})"}};
  state.owner = storage;
  return state;
}

}  // namespace swavd::state
