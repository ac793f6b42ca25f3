// The remote tier on a real S3 server.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/ledger_oracle.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"
#include "tests/state/s3/real_s3.h"

namespace swavd::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class S3 : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    server_ = state::RealS3::shared(why);
    if (server_ == nullptr) {
      GTEST_SKIP() << why;
    }
    url_ = server_->new_url();
    // What swavctl goes by; the daemon has it in its configuration.
    ::setenv("AWS_ENDPOINT_URL_S3", server_->endpoint().c_str(), 1);
    ::setenv(
        "AWS_SHARED_CREDENTIALS_FILE", server_->credentials_file().c_str(), 1);
  }

  void TearDown() override {
    ::unsetenv("AWS_ENDPOINT_URL_S3");
    ::unsetenv("AWS_SHARED_CREDENTIALS_FILE");
  }

  [[nodiscard]] SiteOptions options() const {
    SiteOptions options;
    options.object_store = url_;
    options.more = fmt::format(
        "endpoint = \"{}\"\ncredentials_file = \"{}\"\n",
        server_->endpoint(),
        server_->credentials_file());
    return options;
  }

  [[nodiscard]] std::string run_url() const { return url_ + "/main"; }

  state::RealS3* server_ = nullptr;
  std::string url_;
};

void add_images(
    const Site& site,
    std::uint64_t images,
    std::uint64_t first_seed) {
  const std::string folder = site.path("in" + std::to_string(first_seed));
  fill_folder(folder, images, 0, first_seed);
  push(site.stream_url(), folder);
}

void train_to(Site& site, std::uint64_t images) {
  const auto daemon = site.start_training();
  ASSERT_TRUE(site.wait_for_images(*daemon, images));
  ASSERT_EQ(Site::drain(*daemon), 0);
}

TEST_F(S3, RunWhoseDataFolderIsGoneGoesOnWithTheExactLedger) {
  Site site(options());
  add_images(site, 6 * 16, 0);
  train_to(site, 6 * 16);
  const json before = newest_snapshot(run_url());
  EXPECT_EQ(before.at("step"), 6);
  EXPECT_EQ(list_snapshots(run_url()), list_snapshots(site.data_dir()));
  fs::remove_all(site.data_dir() + "/snapshots");
  add_images(site, 6 * 16, 1000);
  train_to(site, 12 * 16);
  const json after = newest_snapshot(run_url());
  EXPECT_EQ(after.at("step"), 12);
  EXPECT_GT(after.at("generation"), before.at("generation"));
  const Topic topic = read_topic(site.stream_url());
  EXPECT_EQ(expect_exact(after, topic).count, records_of(topic));
  expect_unbroken_line(list_snapshots(run_url()));
}

TEST_F(S3, SnapshotsOfABucketAreVerifiedAndPulled) {
  Site site(options());
  add_images(site, 3 * 16, 0);
  train_to(site, 3 * 16);
  EXPECT_EQ(swavctl({"snapshots", "verify", run_url()}).status, 0);
  const std::string folder = site.path("pulled");
  EXPECT_EQ(swavctl({"snapshots", "pull", run_url(), folder}).status, 0);
  EXPECT_TRUE(fs::exists(folder + "/manifest.json"));
}

TEST_F(S3, ValidateProbesTheBucketAndNamesARefusedKey) {
  Site site(options());
  const Finished good =
      run_program("swavd", {"validate", "--config", site.config()});
  EXPECT_EQ(good.status, 0) << good.err;
  const std::string keys = site.path("keys");
  std::ofstream(keys) << "[default]\naws_access_key_id = NOSUCHKEY\n"
                         "aws_secret_access_key = CANARY\n";
  const Finished bad = run_program(
      "swavd",
      {"validate",
       "--config",
       site.config(),
       "--set",
       fmt::format("object_store.credentials_file=\"{}\"", keys)});
  EXPECT_EQ(bad.status, 69) << bad.err;
  EXPECT_THAT(bad.err, HasSubstr("InvalidAccessKeyId"));
  EXPECT_THAT(bad.err + bad.out, Not(HasSubstr("CANARY")));
}

}  // namespace
}  // namespace swavd::e2e
