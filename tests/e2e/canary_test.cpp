// Secrets are planted wherever one may stand, and looked for wherever swavd
// writes.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"
#include "tests/ingest/real_kafka.h"

namespace swavd::e2e {
namespace {

namespace fs = std::filesystem;

/// In every planted secret, and nowhere else in this repository's programs.
constexpr std::string_view kCanary = "cAnArY7f3a";

std::string canary(int number) {
  return fmt::format("{}{:02}", kCanary, number);
}

class Canary : public ::testing::Test {
 protected:
  /// A file that holds a secret.
  std::string secret_file(int number) {
    const fs::path path = secrets_.path() / fmt::format("secret{}", number);
    std::ofstream(path) << canary(number) << "\n";
    return path.string();
  }

  std::vector<std::string> environment() {
    const fs::path credentials = secrets_.path() / "credentials";
    std::ofstream(credentials) << "[default]\naws_access_key_id = " << canary(1)
                               << "\naws_secret_access_key = " << canary(2)
                               << "\naws_session_token = " << canary(3) << "\n";
    return {
        "AWS_ACCESS_KEY_ID=" + canary(4),
        "AWS_SECRET_ACCESS_KEY=" + canary(5),
        "AWS_SESSION_TOKEN=" + canary(6),
        "AWS_SHARED_CREDENTIALS_FILE=" + credentials.string(),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN=" + canary(7),
        "KAFKA_PASSWORD=" + canary(8),
        "HTTPS_PROXY=http://user:" + canary(9) + "@127.0.0.1:9"};
  }

  [[nodiscard]] std::string client_section() {
    return fmt::format(
        "[stream.client]\n\"security.protocol\" = \"{}\"\n"
        "\"sasl.mechanism\" = \"PLAIN\"\n\"sasl.username\" = \"swavd\"\n"
        "\"sasl.password_file\" = \"{}\"\n\"ssl.key.password_file\" = \"{}\"\n",
        protocol_,
        secret_file(10),
        secret_file(11));
  }

  Process& start(Site& site) {
    daemon_ = std::make_unique<Process>(Command{
        "swavd",
        {"run", "--config", site.config(), "--set", "log.level=\"debug\""},
        environment(),
        site.path("canary-daemon")});
    return *daemon_;
  }

  static void expect_clean(const std::string& text, const std::string& where) {
    EXPECT_EQ(text.find(kCanary), std::string::npos) << "a secret in " << where;
  }

  static void expect_clean_folder(const std::string& folder) {
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) {
        ++files;
        expect_clean(read_text(entry.path().string()), entry.path().string());
      }
    }
    EXPECT_GT(files, 0U) << folder;
  }

  static void expect_clean_pages(const Site& site) {
    for (const char* page :
         {"/", "/status", "/metrics", "/readyz?verbose", "/livez"}) {
      const auto answer = http_get(site.port(), page);
      ASSERT_TRUE(answer) << page;
      EXPECT_FALSE(answer->body.empty()) << page;
      expect_clean(answer->body, page);
    }
  }

  static void expect_clean_commands(const Site& site) {
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"status", "--socket", site.socket()},
          {"snapshots", "ls", site.data_dir()},
          {"snapshots", "show", site.data_dir(), "--json"}}) {
      const Finished done = swavctl(command);
      EXPECT_EQ(done.status, 0) << done.err;
      expect_clean(done.out + done.err, "swavctl " + command.front());
    }
    const Finished config =
        run_program("swavd", {"config", "--config", site.config()});
    EXPECT_EQ(config.status, 0) << config.err;
    EXPECT_NE(config.out.find("data_dir"), std::string::npos);
    expect_clean(config.out + config.err, "swavd config");
  }

  /// Trains, looks at everything, then aborts the process: what it writes
  /// then must be clean, too.
  void train_look_and_abort(Site& site, const std::string& store) {
    fill_folder(site.path("in"), 96, 0);
    push(site.stream_url(), site.path("in"));
    Process& daemon = start(site);
    ASSERT_TRUE(site.wait_for_images(daemon, 96));
    ASSERT_TRUE(wait_until(
        kPatience, [&] { return fs::exists(store + "/main/latest.json"); }));
    expect_clean_pages(site);
    expect_clean_commands(site);
    const fs::path core =
        fs::path("/proc") / std::to_string(daemon.pid()) / "limits";
    const std::string limits = read_text(core.string());
    const auto line = limits.find("Max core file size        0 ");
    EXPECT_NE(line, std::string::npos) << limits;
    daemon.signal(SIGABRT);
    EXPECT_EQ(daemon.wait(kPatience), -SIGABRT);
    expect_clean(daemon.out() + daemon.err(), "what the daemon wrote");
    EXPECT_FALSE(daemon.err().empty());
    expect_clean_folder(site.data_dir());
    expect_clean_folder(store);
  }

  ingest::testing::TempFolder secrets_;
  std::string protocol_ = "sasl_plaintext";
  std::unique_ptr<Process> daemon_;
};

TEST_F(Canary, IsNowhereAfterARunOnTheEmbeddedStream) {
  const ingest::testing::TempFolder store;
  SiteOptions options;
  options.object_store = "file://" + store.path().string();
  Site site(options);
  train_look_and_abort(site, store.path().string());
}

TEST_F(Canary, IsNowhereAfterARunOnKafka) {
  std::string why;
  const auto kafka = ingest::testing::RealKafka::start(why);
  if (!kafka) {
    GTEST_SKIP() << why;
  }
  kafka->create_topic("images", 2);
  const ingest::testing::TempFolder store;
  protocol_ = "plaintext";  // the broker asks for none of them
  SiteOptions options;
  options.stream_url = to_string(kafka->url("images"));
  options.object_store = "file://" + store.path().string();
  options.more = client_section();
  Site site(options);
  train_look_and_abort(site, store.path().string());
}

TEST_F(Canary, IsNowhereAfterAStartThatFails) {
  SiteOptions options;
  options.stream_url = fmt::format("kafka://127.0.0.1:{}/images", free_port());
  options.more = client_section();
  Site site(options);
  Process& daemon = start(site);
  EXPECT_EQ(daemon.wait(kPatience), 69) << daemon.err();
  expect_clean(daemon.out() + daemon.err(), "what the daemon wrote");
  expect_clean_folder(site.data_dir());
  for (const char* command : {"validate", "config"}) {
    const Finished done =
        run_program("swavd", {command, "--config", site.config()});
    EXPECT_FALSE((done.out + done.err).empty()) << command;
    expect_clean(done.out + done.err, command);
  }
}

TEST_F(Canary, ThatStandsInTheConfigurationItselfIsRefusedWithoutBeingShown) {
  SiteOptions options;
  options.stream_url = fmt::format("kafka://127.0.0.1:{}/images", free_port());
  options.more =
      "[stream.client]\n\"sasl.password\" = \"" + canary(12) + "\"\n";
  Site site(options);
  for (const char* command : {"validate", "config", "run"}) {
    const Finished done =
        run_program("swavd", {command, "--config", site.config()});
    EXPECT_EQ(done.status, 78) << command << done.err;
    EXPECT_NE(done.err.find("sasl.password_file"), std::string::npos);
    expect_clean(done.out + done.err, command);
  }
}

}  // namespace
}  // namespace swavd::e2e
