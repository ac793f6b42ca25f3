#include "ops/daemon/memory_need.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace swavd::daemon {
namespace {

using testing::HasSubstr;

service::Config load(std::vector<std::string> overrides) {
  service::LoadedConfig loaded =
      service::load_config({"", std::move(overrides), {}});
  EXPECT_EQ(service::format_mistakes(loaded.mistakes), "");
  return loaded.config;
}

MemoryNeed need_of(std::vector<std::string> overrides) {
  return memory_need(load(std::move(overrides))).value();
}

TEST(MemoryNeed, CountsEveryParameterThreeTimesAndFourMoreForSnapshots) {
  const MemoryNeed need = need_of({"model.preset=seer-256gf"});
  constexpr std::uint64_t kParameters = 1'431'032'042;
  EXPECT_EQ(need.step.parameters, 4 * kParameters);
  EXPECT_EQ(need.step.momenta, 4 * kParameters);
  EXPECT_EQ(need.step.gradients, 4 * kParameters);
  EXPECT_EQ(need.frozen, 16 * kParameters);
}

TEST(MemoryNeed, CropsAreThoseOfAllBatchesAtOnce) {
  const MemoryNeed need = need_of(
      {"loader.batch_images=10",
       "loader.prefetch_batches=3",
       "loader.crops=[{count = 2, size = 64}, {count = 1, size = 32}]"});
  EXPECT_EQ(need.crops, 5U * 10 * (2 * 64 * 64 + 32 * 32) * 3 * 4);
}

TEST(MemoryNeed, CountsTheShuffleWindowUnlessNothingIsShuffled) {
  EXPECT_EQ(need_of({"loader.shuffle_bytes=5MiB"}).window, 5U << 20U);
  EXPECT_EQ(need_of({"loader.shuffle_records=1"}).window, 0U);
}

TEST(MemoryNeed, FallsWithTheBatchThePrecisionAndTheGroups) {
  const auto activations = [](std::vector<std::string> overrides) {
    return need_of(std::move(overrides)).step.activations;
  };
  const std::uint64_t all = activations({});
  EXPECT_EQ(2 * activations({"loader.batch_images=32"}), all);
  EXPECT_EQ(2 * activations({"precision.compute=bf16"}), all);
  EXPECT_LT(activations({"precision.checkpoint_groups=2"}), all);
  EXPECT_LT(
      activations({"precision.checkpoint_groups=4"}),
      activations({"precision.checkpoint_groups=2"}));
}

TEST(MemoryNeed, ARunThatDoesNotFitIsRefusedWithTheArithmetic) {
  const service::Config config = load({"model.preset=seer-256gf"});
  const MemoryNeed need = memory_need(config).value();
  EXPECT_TRUE(check_memory(config, {need.total(), "/x"}).ok());
  EXPECT_TRUE(check_memory(config, {}).ok());
  const Status refused = check_memory(config, {need.total() - 1, "/x"});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kConfig);
  for (const char* part :
       {"(/x)", "parameters 5.72", "momenta 5.72", "loader.batch_images"}) {
    EXPECT_THAT(refused.error().message, HasSubstr(part));
  }
}

TEST(MemoryNeed, OnAGpuItIsDividedBetweenItAndTheMachine) {
  const service::Config config = load({});
  const MemoryNeed cpu = memory_need(config).value();
  trainer::ComputeDevice gpu;
  gpu.name = "cuda:0";
  const MemoryNeed need = memory_need(config, gpu).value();
  EXPECT_EQ(cpu.device(), 0U);
  EXPECT_EQ(cpu.host(), cpu.total());
  EXPECT_EQ(
      need.device(), cpu.step.total() + cpu.frozen / 2 + cpu.crops / 4 * 2);
  EXPECT_EQ(need.host(), cpu.frozen + cpu.window + cpu.crops / 4 * 5);
  gpu.memory_bytes = need.device();
  EXPECT_TRUE(check_memory(config, {need.host(), "/x"}, gpu).ok());
  EXPECT_FALSE(check_memory(config, {need.host() - 1, "/x"}, gpu).ok());
  gpu.memory_bytes = need.device() - 1;
  const Status refused = check_memory(config, {}, gpu);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("(cuda:0)"));
  EXPECT_THAT(refused.error().message, HasSubstr("GB of the GPU's"));
}

TEST(MemoryNeed, ALedgerNeedsNone) {
  EXPECT_EQ(need_of({"model.trainer=ledger"}).total(), 0U);
}

}  // namespace
}  // namespace swavd::daemon
