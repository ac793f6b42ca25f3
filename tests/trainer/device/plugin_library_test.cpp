#include "trainer/device/plugin_library.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace swavd::trainer {
namespace {

using ::testing::HasSubstr;

/// A file of the build's own plugins, see CMakeLists.txt.
std::string module_file(const std::string& name) {
  return std::string(SWAVD_TEST_BIN_DIR) + "/tests/" + name + ".so";
}

Error refusal(const std::vector<std::string>& paths) {
  const auto opened = open_plugin(paths);
  return opened.ok() ? Error{ErrorCode::kInternal, "opened"} : opened.error();
}

TEST(PluginLibrary, APluginOfThisBuildIsOpened) {
  const auto plugin =
      open_plugin({"/nonexistent/a.so", module_file("emulated_plugin")});
  ASSERT_TRUE(plugin.ok()) << plugin.error().message;
  EXPECT_EQ(plugin.value()->build, plugin_build());
  EXPECT_NE(plugin.value()->on_host, 0U);
}

TEST(PluginLibrary, WithoutAnyFileItSaysWhereItLooked) {
  const Error error = refusal({"/nonexistent/a.so", "/nonexistent/b.so"});
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_EQ(
      error.message,
      "no plugin for GPUs is installed (looked for /nonexistent/a.so, "
      "/nonexistent/b.so)");
}

TEST(PluginLibrary, AFileThatIsNoLibraryIsRefusedWithTheLoadersWords) {
  const std::string path =
      testing::TempDir() + "no_library_" + std::to_string(::getpid()) + ".so";
  std::ofstream(path) << "no library";
  const Error error = refusal({path});
  std::filesystem::remove(path);
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr(path + " cannot be loaded: "));
  EXPECT_THAT(error.message, HasSubstr("file too short"));
}

TEST(PluginLibrary, ALibraryWithoutThePluginsSymbolIsRefused) {
  const Error error = refusal({module_file("no_plugin")});
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("is no plugin of swavd"));
  EXPECT_THAT(error.message, HasSubstr(kPluginSymbol));
}

TEST(PluginLibrary, AnotherVersionOfTheInterfaceIsRefused) {
  const Error error = refusal({module_file("plugin_of_another_version")});
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(
      error.message,
      HasSubstr("has version 77 of the plugin's interface, this program has "));
  EXPECT_THAT(error.message, HasSubstr("of one build"));
}

TEST(PluginLibrary, AnotherBuildIsRefused) {
  const Error error = refusal({module_file("plugin_of_another_build")});
  EXPECT_EQ(error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(error.message, HasSubstr("is of \"swavd 0.0.0\""));
  EXPECT_THAT(error.message, HasSubstr(std::string(plugin_build())));
}

TEST(PluginLibrary, TheEnvironmentNamesAFileOrNone) {
  ASSERT_EQ(::setenv("SWAVD_CUDA_PLUGIN", "/a/b.so", 1), 0);
  EXPECT_EQ(plugin_paths(), std::vector<std::string>{"/a/b.so"});
  ASSERT_EQ(::setenv("SWAVD_CUDA_PLUGIN", "", 1), 0);
  EXPECT_TRUE(plugin_paths().empty());
  EXPECT_THAT(refusal(plugin_paths()).message, HasSubstr("is empty"));
  ASSERT_EQ(::unsetenv("SWAVD_CUDA_PLUGIN"), 0);
  const std::vector<std::string> paths = plugin_paths();
  ASSERT_EQ(paths.size(), 2U);
  EXPECT_THAT(paths[0], HasSubstr("/tests/libswavd_cuda.so"));
  EXPECT_THAT(paths[1], HasSubstr("/tests/../lib/libswavd_cuda.so"));
}

}  // namespace
}  // namespace swavd::trainer
