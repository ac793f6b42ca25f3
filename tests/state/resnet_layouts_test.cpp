// ResNets under the names of all four libraries.
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ops/base/files.h"
#include "state/layouts.h"
#include "state/safetensors.h"
#include "state/snapshot_export.h"
#include "state/snapshot_ref.h"
#include "tests/state/regnet_sample.h"

namespace swavd::state {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr auto kFamily = TrunkFamily::kResNet;
constexpr auto kHf = Layout::kHuggingFace;

/// The tensors of a small ResNet by their Hugging Face names: as many
/// convolutions a block as asked for, a shortcut where the stage begins (basic
/// blocks of the first stage have none).
std::vector<SampleTensor> resnet_tensors(
    const std::vector<int>& depths,
    int convolutions) {
  std::vector<SampleTensor> tensors;
  const auto add = [&](const std::string& at) {
    tensors.push_back({at + ".convolution.weight", DType::kF32, {4, 2, 1, 1}});
    for (const char* leaf : {"weight", "bias", "running_mean", "running_var"}) {
      tensors.push_back({at + ".normalization." + leaf, DType::kF32, {4}});
    }
    tensors.push_back(
        {at + ".normalization.num_batches_tracked", DType::kI64, {}});
  };
  add("embedder.embedder");
  for (std::size_t s = 0; s < depths.size(); ++s) {
    for (int b = 0; b < depths[s]; ++b) {
      const std::string at = fmt::format("encoder.stages.{}.layers.{}.", s, b);
      for (int i = 0; i < convolutions; ++i) {
        add(fmt::format("{}layer.{}", at, i));
      }
      if (b == 0 && (s > 0 || convolutions == 3)) {
        add(at + "shortcut");
      }
    }
  }
  return tensors;
}

std::vector<std::string> names_in(
    Layout layout,
    const std::vector<SampleTensor>& tensors) {
  std::vector<std::string> names;
  for (const SampleTensor& tensor : tensors) {
    names.push_back(rename(kFamily, tensor.name, kHf, layout).value());
  }
  return names;
}

TEST(ResNetLayouts, ThereAndBackIsTheSameNameAndEachItsOwn) {
  for (const int convolutions : {2, 3}) {
    const auto tensors = resnet_tensors({3, 4, 23, 3}, convolutions);
    for (const Layout layout : kLayouts) {
      const auto names = names_in(layout, tensors);
      EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());
      for (std::size_t i = 0; i < names.size(); ++i) {
        EXPECT_EQ(
            rename(kFamily, names[i], layout, kHf).value(), tensors[i].name);
      }
    }
  }
}

TEST(ResNetLayouts, NamesAreThoseOfTheLibraries) {
  struct Row {
    std::string hf, others;
  };

  for (const Row& row :
       {Row{"embedder.embedder.convolution.weight", "conv1.weight"},
        Row{"embedder.embedder.normalization.running_var", "bn1.running_var"},
        Row{"encoder.stages.2.layers.4.layer.0.convolution.weight",
            "layer3.4.conv1.weight"},
        Row{"encoder.stages.2.layers.4.layer.1.normalization.bias",
            "layer3.4.bn2.bias"},
        Row{"encoder.stages.2.layers.4.layer.2.convolution.weight",
            "layer3.4.conv3.weight"},
        Row{"encoder.stages.1.layers.0.shortcut.convolution.weight",
            "layer2.0.downsample.0.weight"},
        Row{"encoder.stages.1.layers.0.shortcut.normalization.weight",
            "layer2.0.downsample.1.weight"}}) {
    for (const Layout layout : {Layout::kTorchvision, Layout::kTimm}) {
      EXPECT_EQ(rename(kFamily, row.hf, kHf, layout).value(), row.others);
    }
    EXPECT_EQ(
        rename(kFamily, row.hf, kHf, Layout::kVissl).value(),
        "_feature_blocks." + row.others);
  }
}

TEST(ResNetLayouts, SwavsReleasedNamesAreRecognised) {
  // "module." in front, the head in the same file, one prototypes layer.
  std::vector<std::string> names;
  for (const std::string& name :
       names_in(Layout::kTimm, resnet_tensors({3, 4, 6, 3}, 3))) {
    names.push_back("module." + name);
  }
  names.emplace_back("module.projection_head.0.weight");
  names.emplace_back("module.prototypes.weight");
  for (const Layout own : {kHf, Layout::kTimm}) {
    const auto found = recognise_names(kFamily, names, own);
    ASSERT_TRUE(found.ok()) << found.error().message;
    EXPECT_EQ(found.value().prefix, "module.");
    EXPECT_EQ(found.value().own, own);
    const auto expected = names_in(own, resnet_tensors({3, 4, 6, 3}, 3));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(found.value().names[i].name, expected[i]);
    }
    EXPECT_EQ(found.value().names.back().name, "prototypes.weight");
  }
}

TEST(ResNetLayouts, ARegNetIsNoResNetAndTheOtherWayRound) {
  EXPECT_FALSE(recognise_names(
                   TrunkFamily::kRegNetY,
                   names_in(Layout::kTorchvision, resnet_tensors({1, 1}, 2)))
                   .ok());
  std::vector<std::string> regnet;
  for (const SampleTensor& tensor : trunk_tensors({{1, 2}, {8, 16}, 8})) {
    regnet.push_back(
        rename(TrunkFamily::kRegNetY, tensor.name, kHf, Layout::kTimm).value());
  }
  EXPECT_FALSE(recognise_names(kFamily, regnet).ok());
}

class ResNetExport : public ::testing::Test {
 protected:
  /// A snapshot with this config.json and the trunk in that layout's names.
  std::string snapshot(const std::string& config, Layout own) {
    std::vector<SampleTensor> tensors = resnet_tensors({1, 2}, 3);
    const auto names = names_in(own, tensors);
    for (std::size_t i = 0; i < names.size(); ++i) {
      tensors[i].name = names[i];
    }
    auto storage = std::make_shared<std::vector<ByteVector>>();
    FrozenState state;
    state.tensor_files = {filled_file("model.safetensors", tensors, *storage)};
    state.text_files = {
        {"config.json", config},
        {"preprocessor_config.json",
         R"({"crop_size": {"height": 96, "width": 96}, "resample": 2, )"
         R"("image_mean": [0, 0, 0], "image_std": [1, 1, 1], )"
         R"("size": {"shortest_edge": 110}})"}};
    state.owner = storage;
    const std::string path = folder_ / "snapshot";
    EXPECT_TRUE(write_snapshot_folder(sample_manifest(0), state, path).ok());
    return path;
  }

  Result<std::string> run(const std::string& ref, Layout layout) {
    std::filesystem::remove_all(out_);
    return export_command(ref, out_, {layout, false}, OutputFormat::kJson);
  }

  [[nodiscard]] std::vector<std::string> exported_names() const {
    const auto bytes = read_file(out_ + "/model.safetensors").value();
    std::vector<std::string> names;
    for (const TensorView& tensor : parse_safetensors(bytes).value().tensors) {
      names.push_back(tensor.name);
    }
    return names;
  }

  TemporaryFolder folder_;
  const std::string out_ = folder_ / "out";
};

TEST_F(ResNetExport, HuggingFacesSnapshotGoesToAllAndIsNamed) {
  const std::string from = snapshot(
      R"({"model_type": "resnet", "layer_type": "bottleneck", )"
      R"("embedding_size": 64, "depths": [3, 4, 6, 3], )"
      R"("hidden_sizes": [256, 512, 1024, 2048]})",
      kHf);
  for (const auto& [layout, name] :
       {std::pair(kHf, "ResNetModel"),
        std::pair(Layout::kTorchvision, "resnet50"),
        std::pair(Layout::kTimm, "resnet50")}) {
    const auto summary = run(from, layout);
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    EXPECT_EQ(json::parse(summary.value()).at("architecture"), name);
    EXPECT_THAT(
        exported_names(),
        testing::UnorderedElementsAreArray(
            names_in(layout, resnet_tensors({1, 2}, 3))));
  }
  const json config =
      json::parse(as_text(read_file(out_ + "/config.json").value()));
  EXPECT_EQ(config.at("pretrained_cfg").at("classifier"), "fc");
  // timm rounds size / crop_pct down: 96 / (96 / 110) would become 109.
  EXPECT_EQ(
      static_cast<int>(
          96 / config.at("pretrained_cfg").at("crop_pct").get<double>()),
      110);
}

TEST_F(ResNetExport, TimmsSnapshotKeepsItsConfigAndIsNoneOfTransformers) {
  const std::string text =
      R"({"architecture": "resnet50", "model_args": )"
      R"({"layers": [1, 2], "cardinality": 32, "base_width": 4}})";
  const std::string from = snapshot(text, Layout::kTimm);
  const auto refused = run(from, kHf);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("ResNetModel"));
  ASSERT_TRUE(run(from, Layout::kTimm).ok());
  EXPECT_EQ(as_text(read_file(out_ + "/config.json").value()), text);
  const auto summary = run(from, Layout::kTorchvision);
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  EXPECT_THAT(
      exported_names(),
      testing::UnorderedElementsAreArray(
          names_in(Layout::kTorchvision, resnet_tensors({1, 2}, 3))));
}

}  // namespace
}  // namespace swavd::state
