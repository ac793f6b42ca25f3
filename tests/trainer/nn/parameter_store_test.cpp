#include "trainer/nn/parameter_store.h"

#include <vector>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "trainer/model/initial_values.h"

namespace swavd::trainer {
namespace {

std::vector<TensorSpec> store_specs() {
  return {
      {"conv.weight", {8, 4, 3, 3}, Role::kParameter, Init::kNormalFanOut, 72},
      {"norm.running_var", {8}, Role::kStatistic, Init::kOnes, 1},
      {"norm.num_batches_tracked", {}, Role::kCounter, Init::kZeros, 1}};
}

TEST(ParameterStore, LaysConvolutionsOutChannelsLast) {
  const ParameterStore store(store_specs());
  const at::Tensor& conv = store.at("conv.weight");
  EXPECT_TRUE(conv.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(conv.requires_grad());
  EXPECT_FALSE(store.at("norm.running_var").requires_grad());
  EXPECT_EQ(store.at("norm.num_batches_tracked").scalar_type(), at::kLong);
}

TEST(ParameterStore, InitialValuesLieInCOrderWhateverTheLayout) {
  ParameterStore store(store_specs());
  store.initialise(3);
  std::vector<float> expected(8 * 4 * 9);
  initial_values(store_specs()[0], 3, 0, expected);
  const at::Tensor conv = store.at("conv.weight").detach().contiguous();
  const auto* values = conv.const_data_ptr<float>();
  EXPECT_EQ(std::vector<float>(values, values + conv.numel()), expected);
  EXPECT_EQ(store.at("norm.running_var").sum().item<float>(), 8.0F);
  EXPECT_EQ(store.at("norm.num_batches_tracked").item<std::int64_t>(), 0);
}

TEST(ParameterStore, RolesAreListedInOrder) {
  const ParameterStore store(store_specs());
  ASSERT_EQ(store.of_role(Role::kStatistic).size(), 1U);
  EXPECT_TRUE(
      store.of_role(Role::kStatistic)[0].is_same(store.at("norm.running_var")));
}

}  // namespace
}  // namespace swavd::trainer
