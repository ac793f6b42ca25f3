// The learning rate as an operator sees it and sets it.

#include <string>

#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"

namespace swavd::e2e {
namespace {

using nlohmann::json;

Finished set_rate(const Site& site, const std::string& rate) {
  return swavctl({"schedule", "set-rate", rate, "--socket", site.socket()});
}

double shown_rate(const Site& site) {
  const auto status = http_status(site.port());
  return status ? status->value("learning_rate", -1.0) : -1.0;
}

class SetRate : public ::testing::Test {
 protected:
  void SetUp() override {
    fill_folder(site_.path("a"), 4 * 16, 0);
    push(site_.stream_url(), site_.path("a"));
    daemon_ = site_.start_training();
    ASSERT_TRUE(site_.wait_for_images(*daemon_, 4 * 16));
  }

  /// The newest snapshot once it carries a rate that was set.
  json snapshot_with_rate() {
    json manifest;
    EXPECT_TRUE(wait_until(kPatience, [&] {
      manifest = newest_snapshot(site_.data_dir());
      return manifest.at("schedule").at("set_rate").at("rate") > 0;
    })) << daemon_->err();
    return manifest;
  }

  static SiteOptions options() {
    SiteOptions options;
    options.more = "[schedule]\nlearning_rate = 0.3\nwarmup_images = 0\n";
    return options;
  }

  Site site_{options()};
  std::unique_ptr<Process> daemon_;
};

TEST_F(SetRate, IsInTheLineageBeforeTheNextStepAndOutlivesAKill) {
  EXPECT_EQ(set_rate(site_, "0.05").status, 0);
  const json manifest = snapshot_with_rate();
  EXPECT_EQ(manifest.at("step"), 4);
  EXPECT_EQ(manifest.at("schedule").at("set_rate").at("rate"), 0.05);
  EXPECT_EQ(manifest.at("schedule").at("set_rate").at("at"), 64);
  EXPECT_EQ(manifest.at("schedule").at("set_rate").at("instead_of"), 0.3);
  EXPECT_EQ(shown_rate(site_), 0.05);
  EXPECT_NE(
      daemon_->err().find("learning_rate_set an operator set the rate from "
                          "0.3 to 0.05"),
      std::string::npos)
      << daemon_->err();

  daemon_->kill();
  daemon_ = site_.start_training();
  EXPECT_EQ(shown_rate(site_), 0.05);
  const auto status = http_status(site_.port());
  ASSERT_TRUE(status);
  EXPECT_EQ(status->at("schedule").at("set").at("rate"), 0.05);
  fill_folder(site_.path("b"), 2 * 16, 0, 1000);
  push(site_.stream_url(), site_.path("b"));
  ASSERT_TRUE(site_.wait_for_images(*daemon_, 6 * 16));
  EXPECT_EQ(shown_rate(site_), 0.05);
}

TEST_F(SetRate, RefusesWhatIsNoRateAndChangesNothing) {
  for (const char* rate : {"0", "fast", "1001", "nan"}) {
    const Finished refused = set_rate(site_, rate);
    EXPECT_EQ(refused.status, 64) << rate;
    EXPECT_NE(refused.err.find("is no learning rate"), std::string::npos)
        << refused.err;
  }
  EXPECT_EQ(shown_rate(site_), 0.3);
}

TEST(ResolvedSchedule, IsToldAtStartAndByValidate) {
  SiteOptions options;
  options.more =
      "[schedule]\nlearning_rate = 1.6\nwarmup_images = 320\nfloor = 0.01\n";
  Site site(options);
  const std::string expected =
      "fixed-then-halving: warm-up from 0.08 to 1.6 over 320 images (20 "
      "steps), then 1.6, halved when the smoothed loss has not fallen by 1 % "
      "in 200000 images (12500 steps)";
  const Finished validated = run_program(
      "swavd", {"validate", "--no-environment", "--config", site.config()});
  EXPECT_EQ(validated.status, 0) << validated.err;
  EXPECT_NE(validated.out.find("schedule: " + expected), std::string::npos)
      << validated.out;
  const auto daemon = site.start_training();
  EXPECT_NE(daemon->err().find("schedule " + expected), std::string::npos)
      << daemon->err();
}

TEST(ResolvedSchedule, WarnsOfALargeRateWithoutWarmUp) {
  SiteOptions options;
  options.more = "[schedule]\nlearning_rate = 4.8\nwarmup_images = 0\n";
  const Site site(options);
  const Finished validated = run_program(
      "swavd", {"validate", "--no-environment", "--config", site.config()});
  EXPECT_EQ(validated.status, 0) << validated.err;
  EXPECT_NE(
      validated.out.find("warning: the first step already has the whole rate"),
      std::string::npos)
      << validated.out;
}

}  // namespace
}  // namespace swavd::e2e
