#pragma once

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/trainer/device/emulated_plugin.h"
#include "trainer/device/device_choice.h"

namespace swavd::trainer {

/// Runs a test on the CPU, the emulated device and the first GPU. Without a GPU
/// the last one is skipped and says why; ctest knows it by the label `gpu`.
class AllDevices : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "cpu") {
      return;
    }
    if (GetParam() == "emulated") {
      link_ = std::make_shared<DeviceLink>(emulated_plugin(), 0);
      return;
    }
    const auto chosen = choose_here(GetParam());
    if (!chosen.ok()) {
      GTEST_SKIP() << chosen.error().message;
    }
    link_ = chosen.value().link;
    link_->select();
  }

  /// nullptr on the CPU.
  [[nodiscard]] const std::shared_ptr<const DeviceLink>& link() const {
    return link_;
  }

 private:
  std::shared_ptr<const DeviceLink> link_;
};

#define SWAVD_ON_DEVICES(Suite, ...)                                    \
  INSTANTIATE_TEST_SUITE_P(                                             \
      On, Suite, testing::Values(__VA_ARGS__), [](const auto& tested) { \
        return tested.param;                                            \
      })

}  // namespace swavd::trainer
