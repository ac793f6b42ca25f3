#include "ingest/crawl/check_options.h"

#include <string>

#include <gtest/gtest.h>

namespace swavd::ingest {
namespace {

using std::chrono::milliseconds;

CrawlOptions good() {
  CrawlOptions options;
  options.user_agent = "testbot/1.0 (+https://example.org/bot)";
  options.lists = {"list"};
  return options;
}

TEST(CheckOptions, TakesTheDefaultsOnceTheCrawlerHasANameAndAList) {
  EXPECT_TRUE(check_options(good()).ok());
}

TEST(CheckOptions, WantsAUserAgentThatNamesAPersonToComplainTo) {
  for (const char* agent : {"", "testbot/1.0", "bot (+https://a.b)\r\nX: y"}) {
    CrawlOptions options = good();
    options.user_agent = agent;
    const Status status = check_options(options);
    ASSERT_FALSE(status.ok()) << agent;
    EXPECT_NE(status.error().message.find("user_agent"), std::string::npos);
  }
}

TEST(CheckOptions, NamesTheFieldThatIsOutOfRange) {
  const auto expect = [](const char* field, auto change) {
    CrawlOptions options = good();
    change(options);
    const Status status = check_options(options);
    ASSERT_FALSE(status.ok()) << field;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(status.error().message.find(field), std::string::npos)
        << status.error().message;
  };
  expect("lists", [](auto& o) { o.lists.clear(); });
  expect("frontier_urls", [](auto& o) { o.frontier_urls = 0; });
  expect(
      "per_host_delay", [](auto& o) { o.per_host_delay = milliseconds(-1); });
  expect("backoff_max", [](auto& o) { o.backoff_max = milliseconds(5); });
  expect("failures_to_set_aside", [](auto& o) { o.failures_to_set_aside = 0; });
  expect("max_inflight", [](auto& o) { o.max_inflight = 0; });
  expect("publish_queue", [](auto& o) { o.publish_queue = 0; });
  expect("max_body_bytes", [](auto& o) { o.max_body_bytes = 2ULL << 30U; });
  expect("total_timeout", [](auto& o) { o.total_timeout = milliseconds(0); });
  expect("max_redirects", [](auto& o) { o.max_redirects = 21; });
  expect("allowed_ports", [](auto& o) { o.allowed_ports.clear(); });
}

}  // namespace
}  // namespace swavd::ingest
