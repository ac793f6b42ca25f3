// On which device `swavd` computes, and what it says when it cannot have the
// one that was asked for. The device is played by the host, behind a plugin
// that is opened like the real one.

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/images.h"
#include "tests/e2e/site.h"
#include "tests/e2e/small_network.h"

namespace swavd::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string plugin(const std::string& file) {
  return "SWAVD_CUDA_PLUGIN=" + file;
}

std::string emulated_plugin() {
  const std::string program = program_path("swavd");
  return plugin(
      program.substr(0, program.rfind('/')) + "/tests/emulated_plugin.so");
}

SiteOptions network() {
  SiteOptions options;
  options.every_steps = 2;
  options.preset = "tiny";
  return options;
}

class Device : public ::testing::Test {
 protected:
  void SetUp() override {
    fill_folder(site_.path("images"), 200, 0);
    push(site_.stream_url(), site_.path("images"));
  }

  /// Trains `images` more and drains; gives what it said.
  std::string train(
      const std::string& device,
      const std::string& environment,
      const std::string& images) {
    std::vector<std::string> flags = small_network();
    flags.insert(
        flags.end(),
        {"--set",
         "model.device=\"" + device + "\"",
         "--stop-after-images",
         images});
    const auto daemon = site_.start_under({}, flags, {environment});
    const auto status = daemon->wait(kPatience);
    EXPECT_EQ(status, expected_) << daemon->err();
    return daemon->err();
  }

  Site site_{network()};
  int expected_ = 0;
  int evaluations_ = 0;
};

TEST_F(Device, ARunMovesFromACpuToADeviceAndBack) {
  EXPECT_THAT(
      train("cpu", emulated_plugin(), "32"),
      HasSubstr("steps are computed on cpu"));
  EXPECT_THAT(
      train("auto", emulated_plugin(), "64"),
      HasSubstr("steps are computed on cuda:0 (an emulated device, 1.5 GiB)"));
  EXPECT_THAT(
      train("auto", plugin(""), "32"),
      HasSubstr("steps are computed on cpu ("));
  const nlohmann::json manifest = newest_snapshot(site_.data_dir());
  EXPECT_EQ(manifest.value("step", 0), 8);
  EXPECT_EQ(manifest.value("images", 0), 128);
  EXPECT_EQ(swavctl({"snapshots", "verify", site_.data_dir()}).status, 0);
}

TEST_F(Device, EvaluationsUseTheDeviceAndFindTheSame) {
  (void)train("cpu", plugin(""), "32");
  write_coloured(site_.path("train"), 12, 0);
  write_coloured(site_.path("test"), 4, 100);
  const auto eval = [&](const std::string& what, const std::string& with) {
    std::vector<std::string> arguments = {
        "eval",
        what,
        "--snapshot",
        site_.data_dir(),
        "--train",
        site_.path("train"),
        "--test",
        site_.path("test"),
        "--json"};
    if (what != "knn") {
      arguments.insert(arguments.end(), {"--batch", "12", "--epochs", "2"});
    }
    // A file of its own for each: output is added to what is there.
    Process swavd(
        {"swavd",
         arguments,
         {with},
         site_.path("eval" + std::to_string(evaluations_++))});
    EXPECT_EQ(swavd.wait(kPatience), 0) << swavd.err();
    return swavd.out();
  };
  for (const char* what : {"knn", "linear", "finetune"}) {
    const std::string here = eval(what, plugin(""));
    EXPECT_THAT(here, HasSubstr("top1"));
    EXPECT_EQ(eval(what, emulated_plugin()), here);
  }
}

TEST_F(Device, APluginThatCannotBeLoadedIsNamedAndTheCpuGoesOn) {
  const std::string said = train("auto", plugin(site_.config()), "32");
  EXPECT_THAT(
      said,
      HasSubstr(
          "steps are computed on cpu (" + site_.config() +
          " cannot be loaded: "));
  EXPECT_THAT(said, HasSubstr("invalid ELF header"));
}

TEST_F(Device, AGpuThatIsDemandedAndNotThereEndsTheStart) {
  expected_ = 69;
  EXPECT_THAT(
      train("cuda", plugin("/nonexistent.so"), "32"),
      HasSubstr("model.device: the device cuda was asked for: no plugin for "
                "GPUs is installed (looked for /nonexistent.so)"));
  EXPECT_THAT(
      train("cuda:2", emulated_plugin(), "32"),
      HasSubstr("there is no cuda:2, the last one is cuda:1"));
}

TEST_F(Device, ValidateTellsWhatARunWouldComputeOn) {
  const auto validate = [&](const std::string& device) {
    return run_program(
        "swavd",
        {"validate",
         "--config",
         site_.config(),
         "--set",
         "model.device=\"" + device + "\""});
  };
  const Finished automatic = validate("auto");
  EXPECT_EQ(automatic.status, 0) << automatic.err;
  EXPECT_THAT(automatic.out, HasSubstr("computes on: cpu ("));
  EXPECT_THAT(validate("cpu").out, HasSubstr("computes on: cpu\n"));
  const Finished demanded = validate("cuda");
  EXPECT_EQ(demanded.status, 69);
  EXPECT_THAT(demanded.err, HasSubstr("model.device: the device cuda"));
  EXPECT_THAT(demanded.out, Not(HasSubstr("is valid")));
  const Finished wrong = validate("gpu");
  EXPECT_EQ(wrong.status, 78);
  EXPECT_THAT(
      wrong.err, HasSubstr("\"gpu\" is no device: write auto, cpu, cuda"));
}

}  // namespace
}  // namespace swavd::e2e
