#include "trainer/initial_weights.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/state/sample.h"
#include "tests/trainer/weights_on_disk.h"

namespace swavd::trainer {
namespace {

using state::DType;
using state::Layout;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kFamily = state::TrunkFamily::kRegNetY;

TrainerOptions small() {
  TrainerOptions options;
  options.trunk = RegNetOptions{4, 8, 8.0, 2.0, 8, 0.25, 32};
  options.head = {{16, 16}, 8, true, {12}};
  return options;
}

bool in_head(const std::string& name) {
  return is_head_tensor(name);
}

/// The model as a file of that layout holds it, its trunk behind `prefix`.
std::vector<StoredTensor> foreign(
    const TrainerOptions& options,
    Layout layout,
    const std::string& prefix = "") {
  std::vector<StoredTensor> tensors = model_tensors(options);
  for (StoredTensor& tensor : tensors) {
    tensor.name =
        in_head(tensor.name)
            ? "heads." + state::rename_head(tensor.name, layout).value()
            : prefix + state::rename(
                           kFamily, tensor.name, Layout::kHuggingFace, layout)
                           .value();
  }
  return tensors;
}

class InitialWeightsTest : public ::testing::Test {
 protected:
  Result<InitialWeights> plan(
      const std::vector<StoredTensor>& tensors,
      const TrainerOptions& options = small()) {
    return InitialWeights::plan(
        options, write_weights(folder_ / "model.safetensors", tensors));
  }

  /// A plan that must succeed.
  InitialWeights must_plan(
      const std::vector<StoredTensor>& tensors,
      const TrainerOptions& options = small()) {
    auto weights = plan(tensors, options);
    EXPECT_TRUE(weights.ok()) << weights.error().message;
    return std::move(weights).value();
  }

  std::string complaint(const std::vector<StoredTensor>& tensors) {
    const auto weights = plan(tensors);
    EXPECT_FALSE(weights.ok());
    if (weights.ok()) {
      return "";
    }
    EXPECT_EQ(weights.error().code, ErrorCode::kConfig);
    EXPECT_THAT(weights.error().message, HasSubstr("model.safetensors"));
    return weights.error().message;
  }

  state::TemporaryFolder folder_;
};

TEST_F(InitialWeightsTest, EveryTensorComesBackFromEveryLayoutToTheBit) {
  for (const Layout layout : state::kLayouts) {
    const InitialWeights weights =
        must_plan(foreign(small(), layout, "module."));
    EXPECT_EQ(weights.report().layout, layout);
    EXPECT_EQ(weights.report().prefix, "module.");
    for (const StoredTensor& own : model_tensors(small())) {
      ASSERT_TRUE(weights.has(own.name)) << own.name;
      if (own.dtype == DType::kI64) {
        std::int64_t expected = 0;
        std::memcpy(&expected, own.data.data(), sizeof(expected));
        EXPECT_EQ(weights.read_counter(own.name).value(), expected);
        continue;
      }
      std::vector<float> values(own.data.size() / sizeof(float));
      ASSERT_TRUE(weights.read(own.name, values).ok());
      EXPECT_EQ(std::memcmp(values.data(), own.data.data(), own.data.size()), 0)
          << own.name;
    }
  }
}

TEST_F(InitialWeightsTest, ReportCountsEachPart) {
  const InitialWeights weights = must_plan(foreign(small(), Layout::kTimm));
  const InitReport& report = weights.report();
  // 15 + 13 D parameters and 2 statistics for each of 5 + 3 D BatchNorms are
  // the numbers of a trunk of four stages; this one has three.
  EXPECT_EQ(report.trunk.wanted, report.trunk.matched);
  EXPECT_TRUE(report.trunk.taken && report.head.taken);
  EXPECT_TRUE(report.prototypes.taken);
  EXPECT_EQ(report.head.wanted, 14U);  // 3 Linears, 2 BatchNorms
  EXPECT_EQ(report.prototypes.wanted, 1U);
  EXPECT_EQ(report.classifier + report.unknown, 0U);
  EXPECT_THAT(
      report_lines(report),
      ElementsAre(
          HasSubstr("timm names, 1 file"),
          HasSubstr("trunk: "),
          "head: 14 of 14 tensors match",
          "prototypes: 1 of 1 tensors match"));
}

TEST_F(InitialWeightsTest, WithoutAHeadTheHeadBeginsAtRandom) {
  auto tensors = foreign(small(), Layout::kVissl);
  std::erase_if(tensors, [](const StoredTensor& tensor) {
    return tensor.name.starts_with("heads.");
  });
  const InitialWeights weights = must_plan(tensors);
  EXPECT_FALSE(weights.has("prototypes.weight"));
  EXPECT_FALSE(weights.has("projection_head.0.weight"));
  EXPECT_FALSE(weights.has("projection_head.1.num_batches_tracked"));
  EXPECT_THAT(
      report_lines(weights.report()),
      Contains("head: the file has none, it begins at random"));
}

TEST_F(InitialWeightsTest, AHeadOfAnotherShapeIsLeftOutWholeWithItsPrototypes) {
  TrainerOptions wider = small();
  wider.head.hidden = {16, 24};
  const InitialWeights weights = must_plan(foreign(wider, Layout::kVissl));
  for (const StoredTensor& own : model_tensors(small())) {
    EXPECT_EQ(weights.has(own.name), !in_head(own.name)) << own.name;
  }
  const auto lines = report_lines(weights.report());
  EXPECT_THAT(lines[2], HasSubstr("F32 [24, 16] there and F32 [16, 16] here"));
  EXPECT_THAT(lines[3], HasSubstr("left out with it"));
}

TEST_F(InitialWeightsTest, OtherPrototypesAreLeftOutAndTheHeadIsTaken) {
  TrainerOptions more = small();
  more.head.prototypes = {20};
  const InitialWeights weights = must_plan(foreign(more, Layout::kVissl));
  EXPECT_TRUE(weights.report().head.taken);
  EXPECT_FALSE(weights.report().prototypes.taken);
  EXPECT_TRUE(weights.has("projection_head.0.weight"));
  EXPECT_FALSE(weights.has("prototypes.weight"));
  EXPECT_THAT(
      report_lines(weights.report())[3],
      HasSubstr("0.prototypes0.weight is F32 [20, 8] there"));
}

TEST_F(InitialWeightsTest, EverySetOfPrototypesComesBackToTheBit) {
  TrainerOptions two = small();
  two.head.prototypes = {12, 20};
  for (const Layout layout : state::kLayouts) {
    const InitialWeights weights = must_plan(foreign(two, layout), two);
    EXPECT_EQ(weights.report().prototypes.matched, 2U);
    for (const StoredTensor& own : model_tensors(two)) {
      if (!own.name.starts_with("prototypes.")) {
        continue;
      }
      ASSERT_TRUE(weights.has(own.name)) << own.name;
      std::vector<float> values(own.data.size() / sizeof(float));
      ASSERT_TRUE(weights.read(own.name, values).ok());
      EXPECT_EQ(std::memcmp(values.data(), own.data.data(), own.data.size()), 0)
          << own.name << " from " << state::to_string(layout);
    }
  }
}

TEST_F(InitialWeightsTest, AnotherNumberOfSetsIsLeftOutAndTold) {
  TrainerOptions two = small();
  two.head.prototypes = {12, 20};
  const InitialWeights fewer = must_plan(foreign(two, Layout::kVissl));
  EXPECT_TRUE(fewer.report().head.taken);
  EXPECT_FALSE(fewer.has("prototypes.weight"));
  EXPECT_THAT(
      report_lines(fewer.report())[3],
      HasSubstr("2 sets of prototypes there and 1 here"));
  const InitialWeights more = must_plan(foreign(small(), Layout::kVissl), two);
  EXPECT_FALSE(more.has("prototypes.0.weight"));
  EXPECT_THAT(
      report_lines(more.report())[3],
      HasSubstr("1 sets of prototypes there and 2 here"));
}

TEST_F(InitialWeightsTest, ClassifierAndStrangersAreLeftOutAndTold) {
  auto tensors = foreign(small(), Layout::kTorchvision);
  tensors.push_back({"fc.weight", DType::kF32, {1, 2}, ByteVector(8)});
  tensors.push_back({"fc.bias", DType::kF32, {1}, ByteVector(4)});
  tensors.push_back({"loss.queue", DType::kF32, {1}, ByteVector(4)});
  const InitialWeights weights = must_plan(tensors);
  EXPECT_EQ(weights.report().classifier, 2U);
  EXPECT_EQ(weights.report().unknown, 1U);
  const auto lines = report_lines(weights.report());
  EXPECT_THAT(lines, Contains("left out: a classifier, 2 tensors"));
  EXPECT_THAT(lines, Contains(HasSubstr("loss.queue")));
}

TEST_F(InitialWeightsTest, CountersMayBeMissing) {
  auto tensors = foreign(small(), Layout::kHuggingFace);
  std::erase_if(tensors, [](const StoredTensor& tensor) {
    return tensor.dtype == DType::kI64;
  });
  const InitialWeights weights = must_plan(tensors);
  EXPECT_TRUE(weights.report().trunk.taken);
  EXPECT_FALSE(
      weights.has("embedder.embedder.normalization.num_batches_tracked"));
}

TEST_F(InitialWeightsTest, HalfPrecisionIsWidenedAndTold) {
  auto tensors = foreign(small(), Layout::kHuggingFace);
  for (StoredTensor& tensor : tensors) {
    if (tensor.dtype != DType::kF32) {
      continue;
    }
    // The upper half of a float32 is a bfloat16.
    ByteVector half;
    for (std::size_t at = 0; at < tensor.data.size(); at += 4) {
      half.push_back(tensor.data[at + 2]);
      half.push_back(tensor.data[at + 3]);
    }
    tensor.dtype = DType::kBF16;
    tensor.data = std::move(half);
  }
  const InitialWeights weights = must_plan(tensors);
  const std::size_t floats = weights.report().trunk.wanted + 15;
  EXPECT_THAT(
      weights.report().converted, ElementsAre(std::pair("BF16", floats)));
  std::vector<float> read(12 * 8);
  ASSERT_TRUE(weights.read("prototypes.weight", read).ok());
  const auto own = model_tensors(small()).back();
  const auto* exact = reinterpret_cast<const float*>(own.data.data());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_LE(std::abs(read[i] - exact[i]), exact[i] / 128) << i;
    EXPECT_GT(read[i], 0);
  }
}

TEST_F(InitialWeightsTest, ATrunkWithAHoleIsRefusedByTheFilesOwnName) {
  auto tensors = foreign(small(), Layout::kTimm, "trunk.");
  std::erase_if(tensors, [](const StoredTensor& tensor) {
    return tensor.name == "trunk.s2.b1.se.fc2.bias";
  });
  EXPECT_THAT(
      complaint(tensors), HasSubstr("trunk.s2.b1.se.fc2.bias is missing"));
}

TEST_F(InitialWeightsTest, AnotherTrunkIsRefusedWithBothShapes) {
  TrainerOptions other = small();
  std::get<RegNetOptions>(other.trunk).w0 = 16;
  const std::string message = complaint(foreign(other, Layout::kTorchvision));
  EXPECT_THAT(message, HasSubstr("torchvision names"));
  EXPECT_THAT(message, HasSubstr("set [model] to the trunk of the file"));
  EXPECT_THAT(message, HasSubstr("1, 1, 2 blocks of 8, 16, 32 channels"));
}

TEST_F(InitialWeightsTest, ADeeperTrunkIsRefusedThoughEverythingIsFound) {
  auto tensors = foreign(small(), Layout::kTimm);
  for (const StoredTensor& tensor : foreign(small(), Layout::kTimm)) {
    if (tensor.name.starts_with("s3.b2.")) {
      StoredTensor more = tensor;
      more.name.replace(0, 6, "s3.b3.");
      tensors.push_back(more);
    }
  }
  EXPECT_THAT(complaint(tensors), HasSubstr("is there and not in this model"));
}

TEST_F(InitialWeightsTest, IntegersAreNoWeights) {
  auto tensors = foreign(small(), Layout::kTimm);
  tensors[1].dtype = DType::kI64;
  tensors[1].data.resize(2 * tensors[1].data.size());
  EXPECT_THAT(complaint(tensors), HasSubstr("is I64 [32] there"));
}

TEST_F(InitialWeightsTest, AFileOfAnotherModelIsRefused) {
  EXPECT_THAT(
      complaint({{"conv1.weight", DType::kF32, {1}, ByteVector(4)}}),
      HasSubstr("conv1.weight"));
}

}  // namespace
}  // namespace swavd::trainer
