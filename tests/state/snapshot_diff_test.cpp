#include "state/snapshot_diff.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "state/diff/weight_distance.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(PartOfModel, FollowsTheNamesOfTransformersAndOfTimm) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"embedder.embedder.convolution.weight", "stem"},
      {"regnet.embedder.embedder.normalization.bias", "stem"},
      {"encoder.stages.0.layers.0.layer.0.convolution.weight", "stage1"},
      {"encoder.stages.3.layers.11.shortcut.convolution.weight", "stage4"},
      {"encoder.stages.2.layers.0.layer.0.normalization.running_var",
       "statistics"},
      {"projection_head.0.weight", "head"},
      {"prototypes.weight", "prototypes"},
      {"conv1.weight", "stem"},
      {"bn1.bias", "stem"},
      {"bn1.running_mean", "statistics"},
      {"layer1.0.conv1.weight", "stage1"},
      {"layer4.2.downsample.1.bias", "stage4"},
      {"encoder.stages.x.weight", "other"},
      {"count", "other"}};
  for (const auto& [name, part] : cases) {
    EXPECT_EQ(part_of_model(name), part) << name;
  }
}

/// Values of the tensors of a small model.
struct Weights {
  std::vector<float> stem;
  std::vector<float> stage;
  std::vector<std::uint16_t> prototypes_bf16;
  std::vector<std::uint16_t> head_f16;
};

class SnapshotDiffTest : public testing::Test {
 protected:
  std::string write(
      const std::string& name,
      const Manifest& manifest,
      const Weights& weights) {
    const auto bytes = [](const auto& values) {
      return Bytes(
          reinterpret_cast<const std::uint8_t*>(values.data()),
          values.size() * sizeof(values[0]));
    };
    const auto length = [](const auto& values) {
      return std::vector<std::int64_t>{
          static_cast<std::int64_t>(values.size())};
    };
    FrozenState state;
    state.step = manifest.step;
    state.tensor_files = {
        {"model.safetensors",
         {{"embedder.embedder.convolution.weight",
           DType::kF32,
           length(weights.stem),
           bytes(weights.stem)},
          {"encoder.stages.0.layers.0.layer.0.convolution.weight",
           DType::kF32,
           length(weights.stage),
           bytes(weights.stage)},
          {"embedder.embedder.normalization.num_batches_tracked",
           DType::kI64,
           {},
           {reinterpret_cast<const std::uint8_t*>(&state.step), 8}}},
         {}},
        {"head.safetensors",
         {{"projection_head.0.weight",
           DType::kF16,
           length(weights.head_f16),
           bytes(weights.head_f16)},
          {"prototypes.weight",
           DType::kBF16,
           length(weights.prototypes_bf16),
           bytes(weights.prototypes_bf16)}},
         {}}};
    const auto id = write_snapshot_folder(manifest, state, folder_ / name);
    SWAVD_CHECK(id.ok());
    return id.value();
  }

  json diff() {
    const auto text =
        diff_command(folder_ / "a", folder_ / "b", OutputFormat::kJson);
    SWAVD_CHECK(text.ok());
    return json::parse(text.value());
  }

  static json part(const json& diff, const std::string& name) {
    for (const json& one : diff["weights"]) {
      if (one["part"] == name) {
        return one;
      }
    }
    return json();
  }

  TemporaryFolder folder_;
};

TEST_F(SnapshotDiffTest, WeightsAreComparedPerPart) {
  Weights weights;
  weights.stem = {3, 4};
  // More than a chunk of the streams, so that its borders are crossed.
  weights.stage.assign(200'000, 2.0F);
  weights.prototypes_bf16 = {0x3f80, 0xc000};           // 1, -2
  weights.head_f16 = {0x3c00, 0x0001, 0x8400, 0x7bff};  // 1, tiny, -tiny, max
  const auto a = write("a", sample_manifest(1), weights);
  weights.stem[1] = 4.5;
  for (float& value : weights.stage) {
    value = 2.02F;
  }
  weights.prototypes_bf16[0] = 0x4000;  // 2
  const auto b = write("b", sample_manifest(2), weights);
  const json parsed = diff();
  EXPECT_EQ(parsed["a"]["id"], a);
  EXPECT_EQ(parsed["b"]["id"], b);
  EXPECT_EQ(parsed["steps"], 10);
  EXPECT_EQ(parsed["images"], 1280);
  EXPECT_EQ(parsed["same_run"], true);
  EXPECT_TRUE(parsed["weights_reason"].is_null());
  EXPECT_NEAR(part(parsed, "stem")["relative_l2"], 0.1, 1e-9);
  EXPECT_NEAR(part(parsed, "stage1")["relative_l2"], 0.01, 1e-6);
  EXPECT_EQ(part(parsed, "stage1")["elements"], 200'000);
  EXPECT_NEAR(
      part(parsed, "prototypes")["relative_l2"], 1 / std::sqrt(5.0), 1e-9);
  EXPECT_EQ(part(parsed, "head")["relative_l2"], 0);
  EXPECT_EQ(part(parsed, "head")["changed_tensors"], 0);
  EXPECT_EQ(part(parsed, "stem")["changed_tensors"], 1);
  EXPECT_TRUE(part(parsed, "other").is_null());  // integers are no weights
}

TEST_F(SnapshotDiffTest, PositionsConfigAndHealthAreCompared) {
  const Weights weights{{1}, {1}, {0x3f80}, {0x3c00}};
  Manifest manifest = sample_manifest(1);
  manifest.positions_json =
      R"([{"topic":"images","partition":0,"next":100,"trained":90,)"
      R"("rejected":10,"skipped":0}])";
  manifest.config_toml = "[model]\npreset = \"tiny\"\nwidth = 1\n";
  manifest.config_sha256 = sha256_hex(as_bytes(manifest.config_toml));
  write("a", manifest, weights);
  manifest = sample_manifest(2);
  manifest.run = "other";
  manifest.health.verdict = "collapsing";
  manifest.positions_json =
      R"([{"topic":"images","partition":0,"next":150,"trained":138,)"
      R"("rejected":11,"skipped":1},{"topic":"images","partition":1,)"
      R"("next":7,"trained":7,"rejected":0,"skipped":0}])";
  manifest.config_toml =
      "[model]\npreset = \"tiny\"\nwidth = 2\n\n[swav]\nepsilon = 0.05\n";
  manifest.config_sha256 = sha256_hex(as_bytes(manifest.config_toml));
  write("b", manifest, weights);
  const json parsed = diff();
  EXPECT_EQ(
      parsed["positions"],
      json::parse(
          R"([{"topic":"images","partition":0,"next":50,"trained":48,)"
          R"("rejected":1,"skipped":1},{"topic":"images","partition":1,)"
          R"("next":7,"trained":7,"rejected":0,"skipped":0}])"));
  EXPECT_EQ(
      parsed["config"],
      json::parse(R"([{"key":"model.width","a":"1","b":"2"},)"
                  R"({"key":"swav.epsilon","a":null,"b":"0.05"}])"));
  EXPECT_EQ(parsed["a"]["health"], "healthy");
  EXPECT_EQ(parsed["b"]["health"], "collapsing");
  EXPECT_EQ(parsed["same_run"], false);
  const auto text =
      diff_command(folder_ / "a", folder_ / "b", OutputFormat::kText);
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(text.value(), HasSubstr("+10 steps, +1280 images"));
  EXPECT_THAT(text.value(), HasSubstr("DIFFERENT runs"));
  EXPECT_THAT(text.value(), HasSubstr("swav.epsilon: (absent) -> 0.05\n"));
}

TEST_F(SnapshotDiffTest, OtherTensorsHaveNoDistanceAndSayWhy) {
  Weights weights{{1}, {1}, {0x3f80}, {0x3c00}};
  write("a", sample_manifest(1), weights);
  weights.stage.push_back(1);
  write("b", sample_manifest(2), weights);
  const json parsed = diff();
  EXPECT_TRUE(parsed["weights"].is_null());
  EXPECT_THAT(
      parsed["weights_reason"].get<std::string>(),
      HasSubstr("encoder.stages.0.layers.0.layer.0.convolution.weight"));
  EXPECT_EQ(parsed["steps"], 10);
}

TEST_F(SnapshotDiffTest, WeightsThatAreNoNumbersHaveNoDistance) {
  Weights weights{{1}, {1}, {0x3f80}, {0x3c00}};
  write("a", sample_manifest(1), weights);
  weights.stem[0] = std::numeric_limits<float>::quiet_NaN();
  write("b", sample_manifest(2), weights);
  EXPECT_TRUE(part(diff(), "stem")["relative_l2"].is_null());
}

TEST_F(SnapshotDiffTest, DamagedWeightsAreAnErrorAndNoDistance) {
  const Weights weights{{1}, std::vector<float>(1000, 1), {0x3f80}, {0x3c00}};
  write("a", sample_manifest(1), weights);
  write("b", sample_manifest(2), weights);
  damage(folder_ / "b/model.safetensors", 2000);
  EXPECT_EQ(
      diff_command(folder_ / "a", folder_ / "b", OutputFormat::kText)
          .error()
          .code,
      ErrorCode::kCorruption);
}

TEST_F(SnapshotDiffTest, SecondReferenceMayBeAnIdOfTheSamePlace) {
  auto store = open_local_store(small_store(folder_ / "data/snapshots"));
  ASSERT_TRUE(store.ok());
  for (std::uint64_t number : {1U, 2U}) {
    ASSERT_TRUE(
        store.value()
            ->commit(sample_manifest(number), sample_state(number * 10, number))
            .ok());
  }
  const auto text =
      diff_command(folder_ / "data@20", "@10", OutputFormat::kJson);
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_EQ(json::parse(text.value())["steps"], -10);
}

}  // namespace
}  // namespace swavd::state
