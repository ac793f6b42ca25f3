#include "state/snapshot_export.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ops/base/files.h"
#include "state/safetensors.h"
#include "state/snapshot_ref.h"
#include "tests/state/regnet_sample.h"

namespace swavd::state {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

const SampleTrunk kSmall = {{1, 2, 1}, {8, 16, 24}, 8};
const SampleTrunk k400MF = {{1, 3, 6, 6}, {48, 104, 208, 440}, 8};
const SampleTrunk k800MF = {{1, 3, 8, 2}, {64, 128, 320, 768}, 16};
const SampleTrunk k8GF = {{2, 4, 10, 1}, {168, 448, 896, 2016}, 56};

/// Every tensor's bytes, by its name.
std::map<std::string, ByteVector> tensors_of(const std::string& file) {
  const auto bytes = read_file(file);
  EXPECT_TRUE(bytes.ok()) << file;
  std::map<std::string, ByteVector> tensors;
  if (bytes.ok()) {
    const auto view = parse_safetensors(bytes.value());
    EXPECT_TRUE(view.ok()) << view.error().message;
    for (const TensorView& tensor : view.value().tensors) {
      tensors[tensor.name] = {tensor.data.begin(), tensor.data.end()};
    }
  }
  return tensors;
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

json parsed_file(const std::string& file) {
  const auto bytes = read_file(file);
  EXPECT_TRUE(bytes.ok()) << file;
  return bytes.ok() ? json::parse(as_text(bytes.value())) : json();
}

class Export : public ::testing::Test {
 protected:
  /// The folder of a snapshot of such a trunk.
  std::string snapshot(const SampleTrunk& trunk) {
    const std::string path = folder_ / "snapshot";
    Manifest manifest = sample_manifest(0);
    const auto id = write_snapshot_folder(manifest, regnet_state(trunk), path);
    EXPECT_TRUE(id.ok()) << (id.ok() ? "" : id.error().message);
    return path;
  }

  Result<std::string>
  run(const std::string& ref, Layout layout, bool with_head = false) {
    return export_command(ref, out_, {layout, with_head}, OutputFormat::kJson);
  }

  TemporaryFolder folder_;
  const std::string out_ = folder_ / "out";
};

TEST_F(Export, WritesTheSameBytesUnderEachLayoutsNames) {
  const std::string from = snapshot(kSmall);
  const auto own = tensors_of(from + "/model.safetensors");
  for (const Layout layout : kLayouts) {
    const auto summary = run(from, layout);
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    const auto exported = tensors_of(out_ + "/model.safetensors");
    EXPECT_EQ(exported.size(), own.size());
    for (const auto& [name, bytes] : own) {
      const auto theirs =
          rename(kSmall.family, name, Layout::kHuggingFace, layout);
      ASSERT_TRUE(exported.contains(theirs.value())) << theirs.value();
      EXPECT_EQ(exported.at(theirs.value()), bytes) << name;
    }
    std::filesystem::remove_all(out_);
  }
}

TEST_F(Export, HuggingFaceFolderIsTheSnapshotsWithoutItsManifest) {
  const std::string from = snapshot(kSmall);
  ASSERT_TRUE(run(from, Layout::kHuggingFace).ok());
  EXPECT_THAT(
      files_in(out_),
      ElementsAre(
          "config.json", "model.safetensors", "preprocessor_config.json"));
  EXPECT_EQ(
      read_file(out_ + "/config.json").value(),
      read_file(from + "/config.json").value());
}

TEST_F(Export, TimmGetsTheConfigOfItsHub) {
  const auto summary = run(snapshot(k400MF), Layout::kTimm);
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  EXPECT_THAT(files_in(out_), ElementsAre("config.json", "model.safetensors"));
  const json config = parsed_file(out_ + "/config.json");
  EXPECT_EQ(config.at("architecture"), "regnety_004");
  EXPECT_EQ(config.at("num_classes"), 0);
  EXPECT_EQ(config.at("num_features"), 440);
  const json& input = config.at("pretrained_cfg");
  EXPECT_EQ(input.at("input_size"), json({3, 224, 224}));
  EXPECT_EQ(input.at("crop_pct"), 0.875);
  EXPECT_EQ(input.at("interpolation"), "bilinear");
  EXPECT_EQ(input.at("mean"), json({0.485, 0.456, 0.406}));
  EXPECT_EQ(json::parse(summary.value()).at("architecture"), "regnety_004");
}

TEST_F(Export, ATrunkWithoutANameIsExportedAndSaysHowToBuildIt) {
  const std::string from = snapshot(kSmall);
  for (const auto& [layout, word] :
       {std::pair(Layout::kTimm, "RegNetCfg"),
        std::pair(Layout::kTorchvision, "BlockParams")}) {
    const auto summary = run(from, layout);
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    const json parsed = json::parse(summary.value());
    EXPECT_EQ(parsed.at("architecture"), nullptr);
    EXPECT_THAT(parsed.at("note"), HasSubstr(word));
    EXPECT_THAT(parsed.at("note"), HasSubstr("8, 16, 24"));
    EXPECT_THAT(
        files_in(out_),
        ElementsAre("model.safetensors", "preprocessor_config.json"));
    std::filesystem::remove_all(out_);
  }
}

TEST_F(Export, TorchvisionNamesTheArchitecturesItShares) {
  const auto summary = run(snapshot(k400MF), Layout::kTorchvision);
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  EXPECT_EQ(json::parse(summary.value()).at("architecture"), "regnet_y_400mf");
}

TEST_F(Export, TorchvisionsOtherWidthsAreRefusedWithTheReason) {
  for (const auto& [trunk, name, ours, theirs] :
       {std::tuple(
            k800MF, "regnet_y_800mf", "64, 128, 320, 768", "64, 144, 320, 784"),
        std::tuple(
            k8GF,
            "regnet_y_8gf",
            "168, 448, 896, 2016",
            "224, 448, 896, 2016")}) {
    // Only what the decision is made from: 8GF's weights are 149 MB.
    FrozenState state = sample_state(0, 1);
    state.text_files = {
        {"config.json", hf_config(trunk)}, {"preprocessor_config.json", "{}"}};
    const std::string from = folder_ / name;
    ASSERT_TRUE(write_snapshot_folder(sample_manifest(0), state, from).ok());
    const auto refused = run(from, Layout::kTorchvision);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    for (const char* part : {name, ours, theirs, "--layout timm"}) {
      EXPECT_THAT(refused.error().message, HasSubstr(part));
    }
    EXPECT_FALSE(std::filesystem::exists(out_));
  }
}

TEST_F(Export, HeadComesWhenAskedForInALayoutsNames) {
  const std::string from = snapshot(kSmall);
  const auto own = tensors_of(from + "/head.safetensors");
  ASSERT_TRUE(run(from, Layout::kVissl, /*with_head=*/true).ok());
  const auto head = tensors_of(out_ + "/head.safetensors");
  EXPECT_EQ(head.size(), own.size());
  EXPECT_EQ(head.at("0.prototypes0.weight"), own.at("prototypes.weight"));
  EXPECT_EQ(
      head.at("0.projection_head.3.weight"),
      own.at("projection_head.3.weight"));
  std::filesystem::remove_all(out_);
  ASSERT_TRUE(run(from, Layout::kTimm, /*with_head=*/true).ok());
  EXPECT_EQ(tensors_of(out_ + "/head.safetensors"), own);
}

TEST_F(Export, FileSaysWhereItCameFrom) {
  const std::string from = snapshot(k400MF);
  const auto summary = run(from, Layout::kTimm);
  ASSERT_TRUE(summary.ok());
  const auto bytes = read_file(out_ + "/model.safetensors");
  const auto metadata = parse_safetensors(bytes.value()).value().metadata;
  EXPECT_EQ(metadata.at("format"), "pt");
  EXPECT_EQ(metadata.at("layout"), "timm");
  EXPECT_EQ(metadata.at("architecture"), "regnety_004");
  EXPECT_EQ(metadata.at("widths"), "[48,104,208,440]");
  EXPECT_EQ(metadata.at("snapshot"), json::parse(summary.value()).at("id"));
}

TEST_F(Export, SummaryListsTheFilesWithTheirLengths) {
  const auto summary = run(snapshot(kSmall), Layout::kVissl, true);
  ASSERT_TRUE(summary.ok());
  const json parsed = json::parse(summary.value());
  std::uint64_t bytes = 0;
  for (const json& file : parsed.at("files")) {
    const auto path = out_ + "/" + file.at("name").get<std::string>();
    EXPECT_EQ(file.at("bytes"), std::filesystem::file_size(path));
    bytes += file.at("bytes").get<std::uint64_t>();
  }
  EXPECT_EQ(parsed.at("files").size(), 3U);
  EXPECT_EQ(parsed.at("bytes"), bytes);
  EXPECT_EQ(parsed.at("layout"), "vissl");
  EXPECT_EQ(parsed.at("folder"), out_);
}

TEST_F(Export, DamageIsFoundOnTheWayAndNothingIsLeft) {
  const std::string from = snapshot(kSmall);
  const auto end = std::filesystem::file_size(from + "/model.safetensors");
  damage(from + "/model.safetensors", static_cast<std::streamoff>(end - 1));
  const auto failed = run(from, Layout::kTimm);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(failed.error().message, HasSubstr("model.safetensors"));
  EXPECT_THAT(files_in(folder_.path()), ElementsAre("snapshot"));
}

TEST_F(Export, AFolderThatHoldsSomethingIsLeftAlone) {
  const std::string from = snapshot(kSmall);
  ASSERT_TRUE(run(from, Layout::kTimm).ok());
  const auto before = read_file(out_ + "/model.safetensors");
  const auto refused = run(from, Layout::kVissl);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr(out_));
  EXPECT_EQ(read_file(out_ + "/model.safetensors").value(), before.value());
  // Not even another snapshot is replaced.
  EXPECT_FALSE(
      export_command(from, from, {Layout::kTimm, false}, OutputFormat::kText)
          .ok());
  EXPECT_TRUE(std::filesystem::exists(from + "/manifest.json"));
}

TEST_F(Export, ASnapshotWithoutAModelSaysSo) {
  FrozenState state = sample_state(0, 1);
  state.text_files.clear();
  const std::string from = folder_ / "ledger";
  ASSERT_TRUE(write_snapshot_folder(sample_manifest(0), state, from).ok());
  const auto refused = run(from, Layout::kTimm);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("no model"));

  state.text_files = {{"config.json", R"({"model_type": "swavd-ledger"})"}};
  const std::string real = folder_ / "real-ledger";
  ASSERT_TRUE(write_snapshot_folder(sample_manifest(0), state, real).ok());
  EXPECT_THAT(run(real, Layout::kTimm).error().message, HasSubstr("no model"));

  state.text_files = {{"config.json", R"({"model_type": "vit"})"}};
  const std::string other = folder_ / "other";
  ASSERT_TRUE(write_snapshot_folder(sample_manifest(0), state, other).ok());
  const auto unknown = run(other, Layout::kTimm);
  ASSERT_FALSE(unknown.ok());
  EXPECT_THAT(unknown.error().message, HasSubstr("vit"));
}

}  // namespace
}  // namespace swavd::state
