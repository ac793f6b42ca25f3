// Every published trunk and head, built out of tensors. They are on the meta
// device, which has no memory: the largest would take 37 GB.
#include "tests/trainer/model/published_models.h"

#include <cctype>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "trainer/nn/swav_head.h"
#include "trainer/nn/trunk.h"

namespace swavd::trainer {
namespace {

std::int64_t elements_of(const at::Tensor& tensor) {
  EXPECT_TRUE(tensor.is_meta());
  return tensor.numel();
}

std::int64_t elements_of(const BatchNorm& norm) {
  return elements_of(norm.weight) + elements_of(norm.bias);
}

std::int64_t elements_of(const ConvNorm& conv) {
  return elements_of(conv.weight) + elements_of(conv.norm);
}

std::int64_t elements_of(const ResidualBlock& block) {
  std::int64_t count = block.shortcut ? elements_of(*block.shortcut) : 0;
  for (const ConvNorm& conv : block.convs) {
    count += elements_of(conv);
  }
  if (block.attention) {
    count += elements_of(block.attention->squeeze_weight) +
             elements_of(block.attention->squeeze_bias) +
             elements_of(block.attention->excite_weight) +
             elements_of(block.attention->excite_bias);
  }
  return count;
}

std::vector<std::int64_t> elements_by_stage(const Trunk& trunk) {
  std::vector<std::int64_t> counts;
  for (const std::vector<ResidualBlock>& blocks : trunk.stages) {
    counts.push_back(0);
    for (const ResidualBlock& block : blocks) {
      counts.back() += elements_of(block);
    }
  }
  return counts;
}

std::int64_t elements_of(const Trunk& trunk) {
  std::int64_t count = elements_of(trunk.stem);
  for (const std::int64_t stage : elements_by_stage(trunk)) {
    count += stage;
  }
  return count;
}

std::int64_t elements_of(const SwavHead& head) {
  std::int64_t count = 0;
  for (const SwavHead::Layer& layer : head.layers) {
    count += elements_of(layer.weight) + elements_of(layer.bias);
    count += layer.norm ? elements_of(*layer.norm) : 0;
  }
  return count;
}

/// What a state dict would hold, and what is learnt of it.
struct StoreCounts {
  std::int64_t keys = 0;
  std::int64_t parameters = 0;

  explicit StoreCounts(const ParameterStore& store)
      : keys(static_cast<std::int64_t>(store.entries().size())) {
    for (const at::Tensor& tensor : store.of_role(Role::kParameter)) {
      parameters += elements_of(tensor);
    }
  }
};

class PublishedTrunks : public testing::TestWithParam<PublishedTrunk> {};

// The second count goes through the layers: nothing is left unused, and no
// layer has another one's tensors.
TEST_P(PublishedTrunks, BuiltOnTheMetaDeviceHaveThePublishedCounts) {
  const PublishedTrunk& published = GetParam();
  const TrunkDesign design = design_trunk(published.options).value();
  const ParameterStore store(trunk_specs(design), at::kMeta);
  const StoreCounts counts(store);
  EXPECT_EQ(counts.parameters, published.parameters);
  EXPECT_EQ(counts.keys, published.state_keys);
  const Trunk trunk(store, design);
  EXPECT_EQ(elements_of(trunk), published.parameters);
  if (!published.stages.empty()) {
    EXPECT_EQ(elements_by_stage(trunk), published.stages);
  }
}

std::string word_of(const std::string& name) {
  std::string word;
  for (const char c : name) {
    word += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  }
  return word;
}

std::string trunk_word(const testing::TestParamInfo<PublishedTrunk>& trunk) {
  return word_of(trunk.param.name);
}

INSTANTIATE_TEST_SUITE_P(
    RegNetY,
    PublishedTrunks,
    testing::ValuesIn(published_regnet_y()),
    trunk_word);
INSTANTIATE_TEST_SUITE_P(
    RegNetX,
    PublishedTrunks,
    testing::ValuesIn(published_regnet_x()),
    trunk_word);
INSTANTIATE_TEST_SUITE_P(
    ResNet,
    PublishedTrunks,
    testing::ValuesIn(published_resnets()),
    trunk_word);

class PublishedModels : public testing::TestWithParam<PublishedModel> {};

TEST_P(PublishedModels, BuiltOnTheMetaDeviceHaveThePublishedCounts) {
  const PublishedModel& published = GetParam();
  const TrunkDesign design = design_trunk(published.trunk).value();
  std::vector<TensorSpec> specs = trunk_specs(design);
  for (TensorSpec& spec : head_specs(design.features(), published.head)) {
    specs.push_back(std::move(spec));
  }
  const ParameterStore store(std::move(specs), at::kMeta);
  EXPECT_EQ(StoreCounts(store).parameters, published.whole);
  const SwavHead head(store, published.head);
  EXPECT_EQ(elements_of(head), published.projection);
  EXPECT_EQ(
      elements_of(head) + elements_of(store.at(prototypes_name(0, 1))),
      published.with_prototypes);
  EXPECT_EQ(
      elements_of(Trunk(store, design)) + published.with_prototypes,
      published.whole);
}

std::string model_word(const testing::TestParamInfo<PublishedModel>& model) {
  return word_of(model.param.name);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    PublishedModels,
    testing::ValuesIn(published_models()),
    model_word);

}  // namespace
}  // namespace swavd::trainer
