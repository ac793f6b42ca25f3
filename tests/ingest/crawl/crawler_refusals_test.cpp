#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ingest/crawler.h"
#include "tests/ingest/crawl/crawl_fixture.h"

namespace swavd::ingest {
namespace {

class CrawlerRefusals : public testing::CrawlTest {};

TEST_F(CrawlerRefusals, ReachesNoAddressOfItsOwnMachineHoweverItIsSpelt) {
  const testing::TestWeb web(visits_, testing::serve_png());
  allow(web);
  options_.allow_networks.clear();
  const std::vector<std::string> hosts = {
      "localhost",
      "127.0.0.1",
      "127.1",
      "2130706433",
      "0x7f000001",
      "0x7f.1",
      "0177.0.0.1",
      "0.0.0.0",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:7f00:1]",
      "[::]"};
  std::vector<std::string> urls;
  for (const std::string& host : hosts) {
    urls.push_back("http://" + host + ":" + std::to_string(web.port()) + "/");
  }
  list(urls);
  const CrawlStats stats = crawl();
  EXPECT_EQ(stats.count(CrawlBlock::kSsrfAddress), hosts.size());
  EXPECT_EQ(visits_.count(), 0U);
}

TEST_F(CrawlerRefusals, ReachesNoMappedAddressOfANetworkItMayUse) {
  const testing::TestWeb web(visits_, testing::serve_png());
  allow(web);
  list(
      {"http://[::ffff:127.0.0.1]:" + std::to_string(web.port()) + "/",
       web.url("/plain")});
  const CrawlStats stats = crawl();
  EXPECT_EQ(stats.count(CrawlBlock::kSsrfAddress), 1U);
  EXPECT_EQ(stats.count(CrawlOutcome::kOk), 1U);
}

TEST_F(CrawlerRefusals, ChecksTheAddressOfARedirectToo) {
  const testing::TestWeb inner(visits_, testing::serve_png(), "127.0.0.2");
  const testing::TestWeb web(
      visits_, [&](const httplib::Request&, httplib::Response& response) {
        response.set_redirect(inner.url("/secret"));
      });
  allow(web);
  allow(inner);
  options_.allow_networks = {"127.0.0.1/32"};
  list({web.url("/")});
  const CrawlStats stats = crawl();
  EXPECT_EQ(stats.count(CrawlBlock::kSsrfAddress), 1U);
  ASSERT_EQ(visits_.count(), 1U);
  EXPECT_EQ(visits_.all()[0].host, "127.0.0.1");
}

TEST_F(CrawlerRefusals, ChecksPortSchemeAndFormOfARedirect) {
  const testing::TestWeb closed(visits_, testing::serve_png());
  const testing::TestWeb web(
      visits_,
      [&](const httplib::Request& request, httplib::Response& response) {
        if (request.path == "/port") {
          response.set_redirect(closed.url("/"));
        } else if (request.path == "/ftp") {
          response.set_redirect("ftp://127.0.0.1/");
        } else if (request.path == "/file") {
          response.set_redirect("file:///etc/passwd");
        } else {
          response.set_redirect("http://user:secret@127.0.0.1/");
        }
      },
      "127.0.0.3");
  allow(web);
  list({web.url("/port"), web.url("/ftp"), web.url("/file"), web.url("/user")});
  const CrawlStats stats = crawl();
  EXPECT_EQ(stats.count(CrawlBlock::kPort), 1U);
  EXPECT_EQ(stats.count(CrawlBlock::kScheme), 2U);
  EXPECT_EQ(stats.count(CrawlBlock::kMalformed), 1U);
  EXPECT_EQ(visits_.count(), 4U);
}

TEST_F(CrawlerRefusals, ChecksPortSchemeAndFormOfTheList) {
  options_.allowed_ports = {80};
  list({"http://127.0.0.1:22/", "ftp://127.0.0.1/", "hello"});
  const CrawlStats stats = crawl();
  EXPECT_EQ(stats.count(CrawlBlock::kPort), 1U);
  EXPECT_EQ(stats.count(CrawlBlock::kScheme), 1U);
  EXPECT_EQ(stats.count(CrawlBlock::kMalformed), 1U);
  EXPECT_EQ(stats.durations.count, 0U);
}

TEST_F(CrawlerRefusals, FollowsNoMoreRedirectsThanItMay) {
  const testing::TestWeb web(
      visits_,
      [&](const httplib::Request& request, httplib::Response& response) {
        response.set_redirect(request.path + "x");
      });
  allow(web);
  options_.max_redirects = 5;
  list({web.url("/")});
  const CrawlStats stats = crawl();
  EXPECT_EQ(stats.count(CrawlBlock::kRedirectLimit), 1U);
  EXPECT_EQ(stats.redirects, 5U);
  EXPECT_EQ(visits_.count(), 6U);
}

TEST_F(CrawlerRefusals, UsesNoProxyOfTheEnvironment) {
  const testing::TestWeb proxy(visits_, testing::serve_png(), "127.0.0.9");
  const testing::TestWeb web(visits_, testing::serve_png());
  allow(web);
  ASSERT_EQ(setenv("http_proxy", proxy.url("").c_str(), 1), 0);
  ASSERT_EQ(setenv("all_proxy", proxy.url("").c_str(), 1), 0);
  list({web.url("/")});
  const CrawlStats stats = crawl();
  unsetenv("http_proxy");
  unsetenv("all_proxy");
  EXPECT_EQ(stats.count(CrawlOutcome::kOk), 1U);
  ASSERT_EQ(visits_.count(), 1U);
  EXPECT_EQ(visits_.all()[0].host, "127.0.0.1");
}

TEST_F(CrawlerRefusals, TakesNoBodyOverTheLimit) {
  const std::string piece = testing::png(std::string(10'000, 'x'));
  const testing::TestWeb web(
      visits_,
      [&](const httplib::Request& request, httplib::Response& response) {
        if (request.path == "/declared") {
          response.set_content_provider(
              std::size_t{1} << 40U,
              "image/png",
              [&](std::size_t, std::size_t, httplib::DataSink& sink) {
                return sink.write(piece.data(), piece.size());
              });
        } else if (request.path == "/endless") {
          response.set_chunked_content_provider(
              "image/png", [&](std::size_t, httplib::DataSink& sink) {
                return sink.write(piece.data(), piece.size());
              });
        } else {
          response.set_content(std::string(100'000, 'x'), "image/png");
        }
      });
  allow(web);
  options_.max_body_bytes = 100'000;
  list({web.url("/declared"), web.url("/endless"), web.url("/just")});
  const CrawlStats stats = crawl();
  EXPECT_EQ(stats.count(CrawlOutcome::kTooLarge), 2U);
  EXPECT_EQ(stats.count(CrawlOutcome::kOk), 1U);
  EXPECT_LT(stats.response_bytes, 400'000U);
}

TEST_F(CrawlerRefusals, TakesNoEndlessHeaders) {
  const testing::TestWeb web(
      visits_, [&](const httplib::Request&, httplib::Response& response) {
        for (int i = 0; i < 100; ++i) {
          response.set_header(
              "X-Filler-" + std::to_string(i), std::string(4000, 'x'));
        }
        response.set_content(testing::png(), "image/png");
      });
  allow(web);
  list({web.url("/")});
  EXPECT_EQ(crawl().count(CrawlOutcome::kTooLarge), 1U);
}

}  // namespace
}  // namespace swavd::ingest
