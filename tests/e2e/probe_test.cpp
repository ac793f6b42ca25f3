// [probe]: a daemon that measures its own snapshots.

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"
#include "tests/e2e/small_network.h"

namespace swavd::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Probe : public ::testing::Test {
 protected:
  void SetUp() override {
    std::vector<std::string> init = {"init", "--out", site().path("first")};
    for (const std::string& flag : small_network()) {
      init.push_back(flag);
    }
    const Finished made = run_program("swavd", init);
    if (made.status == kUnavailable) {
      GTEST_SKIP() << "a build without LibTorch has no features";
    }
    ASSERT_EQ(made.status, 0) << made.err;
    write_coloured(site().path("test"), 10, 1000);
    fill_folder(site().path("stream"), 8 * 16, 0);
    push(site().stream_url(), site().path("stream"));
  }

  /// A daemon that probes with these images of the site.
  std::unique_ptr<Process> start(const std::string& train) {
    auto flags = small_network();
    flags.insert(
        flags.end(),
        {"--set",
         fmt::format("probe.train=\"{}\"", site().path(train)),
         "--set",
         fmt::format("probe.test=\"{}\"", site().path("test"))});
    return site().start_training(flags);
  }

  Site& site() { return site_; }

  [[nodiscard]] std::string metrics() {
    const auto answer = http_get(site().port(), "/metrics");
    return answer ? answer->body : "";
  }

 private:
  static SiteOptions options() {
    SiteOptions options;
    options.preset = "tiny";
    return options;
  }

  Site site_{options()};
};

TEST_F(Probe, ShowsTheFigureOfAFreshSnapshot) {
  write_coloured(site().path("train"), 20, 0);
  const auto daemon = start("train");
  json probe;
  ASSERT_TRUE(wait_until(4 * kPatience, [&] {
    const auto status = http_status(site().port());
    probe = status ? status->value("probe", json()) : json();
    return !probe.is_null();
  })) << daemon->err();
  EXPECT_GE(probe.at("knn_top1"), 90);
  EXPECT_GE(probe.at("pixels_top1"), 90);
  EXPECT_EQ(probe.at("bank"), 60);
  EXPECT_EQ(probe.at("queries"), 30);
  EXPECT_GT(probe.at("step"), 0);
  const std::string text = metrics();
  EXPECT_THAT(
      text,
      HasSubstr(fmt::format(
          "swavd_probe_snapshot_step {}", probe.at("step").get<int>())));
  EXPECT_THAT(text, HasSubstr("swavd_probe_knn_top1_ratio "));
  EXPECT_EQ(text.find("swavd_probe_failures_total{"), std::string::npos);
  EXPECT_EQ(Site::drain(*daemon), 0);
}

TEST_F(Probe, AFailureIsCountedAndLoggedAndTheTrainingGoesOn) {
  write_coloured(site().path("train"), 20, 0, /*colours=*/1);
  const auto daemon = start("train");
  ASSERT_TRUE(wait_until(4 * kPatience, [&] {
    return metrics().find(
               "swavd_probe_failures_total{reason=\"probe_failed\"}") !=
           std::string::npos;
  })) << daemon->err();
  EXPECT_THAT(daemon->err(), HasSubstr("probe_failed"));
  EXPECT_THAT(daemon->err(), HasSubstr("one class, red"));
  EXPECT_TRUE(site().wait_for_images(*daemon, 8 * 16));
  EXPECT_EQ(Site::drain(*daemon), 0);
}

}  // namespace
}  // namespace swavd::e2e
