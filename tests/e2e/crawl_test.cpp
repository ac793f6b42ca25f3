// The main job without a broker: a web, the crawler, the embedded stream and
// the daemon, all at the same time.

#include <csignal>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ops/service/demo_web.h"
#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/ledger_oracle.h"
#include "tests/e2e/scale.h"
#include "tests/e2e/site.h"

namespace swavd::e2e {
namespace {

constexpr std::uint64_t kUrls = 320;

std::string crawl_section(const std::string& list, int port) {
  return fmt::format(
      R"toml([crawl]
user_agent = "swavd-test/1.0 (+http://127.0.0.1/)"
lists = ["{}"]
ports = [{}]
allow_networks = ["127.0.0.0/8"]
per_host_delay = "1ms"
)toml",
      list,
      port);
}

TEST(Crawl, FillsTheStreamThatTheDaemonTrainsOn) {
  const ingest::testing::TempFolder web_folder;
  const std::string images = (web_folder.path() / "images").string();
  const std::string list = (web_folder.path() / "urls.txt").string();
  fill_folder(images, 40, 0);
  service::DemoWebOptions web_options;
  web_options.images = images;
  web_options.hosts = 8;
  web_options.slow_delay = std::chrono::milliseconds(20);
  auto web = service::start_demo_web(web_options);
  ASSERT_TRUE(web.ok()) << web.error().message;
  ASSERT_TRUE(web.value()->write_url_list(list, kUrls, 1).ok());

  SiteOptions options;
  options.more = crawl_section(list, web.value()->port());
  Site site(options);
  const auto daemon = site.start_training();  // makes the stream
  Process crawler(
      {"swavd-crawl",
       {"run",
        "--config",
        site.config(),
        "--set",
        fmt::format("http.listen=\"127.0.0.1:{}\"", free_port())},
       {},
       site.path("crawler")});
  // While the crawler fetches, the daemon trains.
  ASSERT_TRUE(site.wait_for_images(*daemon, 16));
  ASSERT_EQ(crawler.wait(2 * kPatience), 0) << crawler.err();
  ASSERT_TRUE(site.wait_for_images(*daemon, kUrls));
  ASSERT_EQ(Site::drain(*daemon), 0);

  const Topic topic = read_topic(site.stream_url());
  EXPECT_EQ(records_of(topic), kUrls);
  EXPECT_EQ(
      expect_exact(newest_snapshot(site.data_dir()), topic).trained, kUrls);
  for (const auto& [partition, records] : topic) {
    for (const auto& [offset, record] : records) {
      EXPECT_TRUE(ingest::find_header(record.headers, ingest::kHeaderUrl)
                      .starts_with("http://127.0.0."));
    }
  }
}

TEST(Crawl, PrivateAddressesAreRefusedUnlessAllowed) {
  const ingest::testing::TempFolder folder;
  const std::string list =
      folder.write_lines("urls.txt", {"http://127.0.0.1/a.png"});
  SiteOptions options;
  options.more = fmt::format(
      "[crawl]\nuser_agent = \"swavd-test/1.0 (+http://127.0.0.1/)\"\n"
      "lists = [\"{}\"]\n",
      list);
  const Site site(options);
  const Finished finished = run_program(
      "swavd-crawl",
      {"run", "--config", site.config(), "--set", "log.level=\"debug\""});
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_NE(finished.err.find("ssrf_address"), std::string::npos)
      << finished.err;
  EXPECT_EQ(records_of(read_topic(site.stream_url())), 0U);
}

TEST(Crawl, WithoutAUserAgentIsAConfigurationMistake) {
  const Site site;
  const Finished finished =
      run_program("swavd-crawl", {"run", "--config", site.config()});
  EXPECT_EQ(finished.status, 78) << finished.err;
  EXPECT_NE(finished.err.find("user_agent"), std::string::npos) << finished.err;
}

}  // namespace
}  // namespace swavd::e2e
