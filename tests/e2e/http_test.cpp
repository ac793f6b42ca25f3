// The pages of a running daemon, and its admin socket.

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"
#include "tests/services/outside.h"

namespace swavd::e2e {
namespace {

using nlohmann::json;

class Running : public ::testing::Test {
 protected:
  void SetUp() override {
    fill_folder(site_.path("a"), 6 * 16 + 1, 16);
    push(site_.stream_url(), site_.path("a"));
    daemon_ = site_.start_training();
    ASSERT_TRUE(site_.wait_for_images(*daemon_, 5 * 16));
  }

  Answer get(const std::string& path) {
    const auto answer = http_get(site_.port(), path);
    EXPECT_TRUE(answer) << path;
    return answer.value_or(Answer{});
  }

  Finished admin(const std::string& command) {
    return swavctl({command, "--socket", site_.socket()});
  }

  Site site_;
  std::unique_ptr<Process> daemon_;
};

TEST_F(Running, AnswersTheProbes) {
  EXPECT_EQ(get("/livez").code, 200);
  EXPECT_EQ(get("/readyz").code, 200);
  const Answer verbose = get("/readyz?verbose");
  EXPECT_EQ(verbose.code, 200);
  EXPECT_NE(verbose.body.find("[+]"), std::string::npos) << verbose.body;
  EXPECT_EQ(get("/no-such-page").code, 404);
}

TEST_F(Running, ServesThePageUnderAStrictPolicy) {
  const Answer page = get("/");
  EXPECT_EQ(page.code, 200);
  EXPECT_NE(page.content_type.find("text/html"), std::string::npos);
  EXPECT_NE(
      page.content_security_policy.find("default-src 'none'"),
      std::string::npos)
      << page.content_security_policy;
}

TEST_F(Running, ShowsEveryDocumentedFieldOfItsStatus) {
  const auto status = http_status(site_.port());
  ASSERT_TRUE(status);
  for (const char* field :
       {"state",
        "step",
        "images",
        "images_per_second",
        "loss",
        "ln_k",
        "learning_rate",
        "health",
        "stream",
        "rejected",
        "last_snapshot",
        "generation",
        "config_sha256"}) {
    EXPECT_TRUE(status->contains(field)) << field;
  }
  EXPECT_EQ(status->at("state"), "training");
  EXPECT_EQ(status->at("step"), 5);
  EXPECT_EQ(status->at("generation"), 1);
  EXPECT_EQ(status->at("config_sha256").get<std::string>().size(), 64U);
  EXPECT_EQ(status->at("stream").at("positions").size(), 4U);
  ASSERT_TRUE(wait_until(kPatience, [this] {
    const auto now = http_status(site_.port());
    return now && now->at("last_snapshot").is_object();
  }));
  const json last = http_status(site_.port())->at("last_snapshot");
  EXPECT_GE(last.at("step"), 3);
  EXPECT_EQ(last.at("id").get<std::string>().size(), 21U);
  EXPECT_EQ(last.at("created").get<std::string>().back(), 'Z');
}

TEST_F(Running, ServesMetricsThatAgreeWithItsStatus) {
  const Answer metrics = get("/metrics");
  EXPECT_EQ(metrics.code, 200);
  EXPECT_NE(metrics.content_type.find("text/plain"), std::string::npos);
  for (const char* line :
       {"swavd_train_step 5\n",
        "swavd_train_images_total 80\n",
        "swavd_stream_assigned_partitions 4\n",
        "swavd_state{state=\"training\"} 1\n",
        "swavd_state{state=\"paused\"} 0\n"}) {
    EXPECT_NE(metrics.body.find(line), std::string::npos)
        << line << metrics.body;
  }
}

TEST_F(Running, ServesMetricsThatPrometheusAccepts) {
  const auto verdict = services::promtool_verdict(get("/metrics").body);
  if (!verdict) {
    GTEST_SKIP() << services::kNoPromtool;
  }
  EXPECT_EQ(*verdict, "");
}

TEST_F(Running, IsControlledThroughItsSocket) {
  struct stat socket {};

  ASSERT_EQ(::stat(site_.socket().c_str(), &socket), 0);
  EXPECT_EQ(socket.st_mode & 0777U, 0660U);

  const json status = json::parse(admin("status").out, nullptr, false);
  ASSERT_TRUE(status.is_object());
  EXPECT_EQ(status.at("step"), 5);

  EXPECT_EQ(admin("pause").status, 0);
  ASSERT_TRUE(site_.wait_for_state(*daemon_, "paused"));
  EXPECT_EQ(get("/readyz").code, 200);
  fill_folder(site_.path("b"), 32, 0, 1000);
  push(site_.stream_url(), site_.path("b"));
  EXPECT_EQ(admin("snapshot").status, 0);
  ASSERT_TRUE(wait_until(kPatience, [this] {
    const auto now = http_status(site_.port());
    return now && now->at("last_snapshot").is_object() &&
           now->at("last_snapshot").at("step") == 5;
  })) << daemon_->err();
  EXPECT_EQ(http_status(site_.port())->at("step"), 5) << "trained while paused";

  EXPECT_EQ(admin("resume").status, 0);
  ASSERT_TRUE(site_.wait_for_images(*daemon_, 7 * 16));
  EXPECT_EQ(admin("drain").status, 0);
  EXPECT_EQ(daemon_->wait(kPatience), 0) << daemon_->err();
  EXPECT_EQ(newest_snapshot(site_.data_dir()).at("step"), 7);
}

TEST(Admin, SocketOfNobodyExits69NamingIt) {
  const Finished finished =
      swavctl({"status", "--socket", "/nowhere/admin.sock"});
  EXPECT_EQ(finished.status, 69);
  EXPECT_NE(finished.err.find("/nowhere/admin.sock"), std::string::npos);
}

TEST(Probes, SeparateAddressServesNothingElse) {
  const int port = free_port();
  SiteOptions options;
  options.more = fmt::format("[metrics]\nlisten = \"127.0.0.1:{}\"\n", port);
  Site site(options);
  const auto daemon = site.start_training();
  for (const char* path : {"/livez", "/readyz", "/metrics"}) {
    const auto answer = http_get(port, path);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->code, 200) << path;
  }
  for (const char* path : {"/", "/status"}) {
    const auto answer = http_get(port, path);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->code, 404) << path;
  }
}

}  // namespace
}  // namespace swavd::e2e
