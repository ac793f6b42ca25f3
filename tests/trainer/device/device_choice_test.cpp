#include "trainer/device/device_choice.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/device/emulated_plugin.h"

namespace swavd::trainer {
namespace {

using ::testing::HasSubstr;

OpenPlugin gives(const CudaPlugin& plugin) {
  return [&plugin] { return Result<const CudaPlugin*>(&plugin); };
}

OpenPlugin fails(ErrorCode code) {
  return [code] {
    return Result<const CudaPlugin*>(Error{code, "x.so cannot be loaded"});
  };
}

CudaPlugin without_devices() {
  CudaPlugin plugin = emulated_plugin();
  plugin.device_count = [](std::int32_t* count) -> PluginError {
    *count = 0;
    return nullptr;
  };
  return plugin;
}

CudaPlugin without_driver() {
  CudaPlugin plugin = emulated_plugin();
  plugin.device_count = [](std::int32_t* count) -> PluginError {
    *count = 0;
    return "no NVIDIA GPU can be used: the driver is too old";
  };
  return plugin;
}

TEST(DeviceChoice, TheCpuAsksNoPlugin) {
  const auto chosen = choose_among("cpu", [] {
    ADD_FAILURE() << "the plugin was opened";
    return Result<const CudaPlugin*>(&emulated_plugin());
  });
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ(chosen.value().link, nullptr);
  EXPECT_EQ(to_string(chosen.value().device), "cpu");
}

TEST(DeviceChoice, AutoTakesTheFirstGpu) {
  const auto chosen = choose_among("auto", gives(emulated_plugin()));
  ASSERT_TRUE(chosen.ok());
  ASSERT_NE(chosen.value().link, nullptr);
  EXPECT_EQ(chosen.value().link->index(), 0);
  EXPECT_EQ(
      to_string(chosen.value().device), "cuda:0 (an emulated device, 1.5 GiB)");
}

TEST(DeviceChoice, ANumberNamesAGpu) {
  const auto chosen = choose_among("cuda:1", gives(emulated_plugin()));
  ASSERT_TRUE(chosen.ok());
  EXPECT_EQ(chosen.value().link->index(), 1);
  EXPECT_EQ(chosen.value().device.name, "cuda:1");
}

TEST(DeviceChoice, AGpuThatIsNotThereIsAnErrorAndNotAnother) {
  const auto chosen = choose_among("cuda:2", gives(emulated_plugin()));
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(
      chosen.error().message,
      HasSubstr("the device cuda:2 was asked for: there is no cuda:2, the last "
                "one is cuda:1"));
}

/// What auto and cuda say when the plugin is as it is.
void expect_reason(
    const OpenPlugin& open,
    const std::string& why,
    bool installed) {
  const auto automatic = choose_among("auto", open);
  ASSERT_TRUE(automatic.ok());
  EXPECT_EQ(automatic.value().link, nullptr);
  EXPECT_TRUE(automatic.value().device.is_cpu());
  EXPECT_THAT(automatic.value().device.why_cpu, HasSubstr(why));
  EXPECT_EQ(automatic.value().device.plugin_installed, installed);
  EXPECT_THAT(to_string(automatic.value().device), HasSubstr("cpu (" + why));
  const auto demanded = choose_among("cuda", open);
  ASSERT_FALSE(demanded.ok());
  EXPECT_EQ(demanded.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(
      demanded.error().message,
      HasSubstr("the device cuda was asked for: " + why));
}

TEST(DeviceChoice, WithoutAPluginTheReasonIsThat) {
  expect_reason(fails(ErrorCode::kNotFound), "x.so cannot be loaded", false);
}

TEST(DeviceChoice, APluginThatCannotBeOpenedGivesItsReason) {
  expect_reason(fails(ErrorCode::kUnavailable), "x.so cannot be loaded", true);
}

TEST(DeviceChoice, AMachineWithoutGpusIsNamedAsOne) {
  const CudaPlugin plugin = without_devices();
  expect_reason(gives(plugin), "there is no NVIDIA GPU", true);
}

TEST(DeviceChoice, TheDriversWordsAreHandedOn) {
  const CudaPlugin plugin = without_driver();
  expect_reason(
      gives(plugin), "no NVIDIA GPU can be used: the driver is too old", true);
}

TEST(DeviceChoice, OtherTextsAreRefused) {
  for (const char* text :
       {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x"}) {
    const auto chosen = choose_among(text, gives(emulated_plugin()));
    ASSERT_FALSE(chosen.ok()) << text;
    EXPECT_EQ(chosen.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(chosen.error().message, HasSubstr("cuda:N"));
  }
}

}  // namespace
}  // namespace swavd::trainer
