// `swavd headspace`: three rates, and a run that does not notice.

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/e2e/images.h"
#include "tests/e2e/site.h"

namespace swavd::e2e {
namespace {

using nlohmann::json;

Finished headspace(const Site& site, const std::vector<std::string>& more) {
  std::vector<std::string> words = {
      "headspace", "--config", site.config(), "--seconds", "0.2"};
  words.insert(words.end(), more.begin(), more.end());
  return run_program("swavd", words);
}

TEST(Headspace, TellsThreeRatesAndLeavesNothingBehind) {
  Site site;
  fill_folder(site.path("images"), 64, 3);
  push(site.stream_url(), site.path("images"));
  const Finished measured = headspace(site, {"--json"});
  ASSERT_EQ(measured.status, 0) << measured.err;
  const json report = json::parse(measured.out);
  EXPECT_GT(report.at("loader_images_per_s").get<double>(), 0);
  EXPECT_GT(report.at("step_images_per_s").get<double>(), 0);
  EXPECT_GT(report.at("together_images_per_s").get<double>(), 0);
  EXPECT_GT(report.at("loader_cpu_s_per_image").get<double>(), 0);
  // So few images and so short a time do not tell which.
  const std::string limit = report.at("limited_by");
  EXPECT_TRUE(limit == "loader" || limit == "step" || limit == "cores")
      << limit;
  EXPECT_FALSE(std::filesystem::exists(site.data_dir()));
  const Finished told = headspace(site, {});
  ASSERT_EQ(told.status, 0) << told.err;
  EXPECT_NE(told.out.find("limited by the "), std::string::npos) << told.out;
}

TEST(Headspace, SaysThatAStreamHoldsTooLittle) {
  Site site;
  fill_folder(site.path("images"), 20, 3);  // one batch of 16, and a rest
  push(site.stream_url(), site.path("images"));
  const Finished measured = headspace(site, {});
  EXPECT_EQ(measured.status, 69) << measured.err;
  EXPECT_NE(measured.err.find("too few images"), std::string::npos)
      << measured.err;
}

}  // namespace
}  // namespace swavd::e2e
