#include "ingest/crawler.h"

#include <charconv>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ops/base/sha256.h"
#include "tests/ingest/crawl/crawl_fixture.h"

namespace swavd::ingest {
namespace {

class CrawlerTest : public testing::CrawlTest {};

TEST_F(CrawlerTest, PublishesEachBodyWithItsOrigin) {
  const testing::TestWeb web(visits_, testing::serve_png());
  allow(web);
  list({web.url("/1.png"), web.url("/2.png"), web.url("/3.png")});
  const std::int64_t before = clock_.unix_ms();
  const CrawlStats stats = crawl();
  EXPECT_EQ(stats.count(CrawlOutcome::kOk), 3U);
  EXPECT_EQ(stats.published, 3U);
  EXPECT_EQ(stats.durations.count, 3U);

  std::map<std::string, Record> by_url;
  for (const Record& record : records()) {
    by_url[std::string(find_header(record.headers, kHeaderUrl))] = record;
  }
  ASSERT_EQ(by_url.size(), 3U);
  for (const char* path : {"/1.png", "/2.png", "/3.png"}) {
    const std::string url = web.url(path);
    ASSERT_EQ(by_url.count(url), 1U);
    const Record& record = by_url[url];
    EXPECT_EQ(as_text(record.payload), testing::png(path));
    EXPECT_EQ(record.key, sha256_hex(as_bytes(url)).substr(0, 16));
    EXPECT_EQ(find_header(record.headers, kHeaderContentType), "image/png");
    EXPECT_EQ(
        find_header(record.headers, kHeaderSha256), sha256_hex(record.payload));
    const auto at = find_header(record.headers, kHeaderFetchedAt);
    std::int64_t fetched_at = 0;
    std::from_chars(at.data(), at.data() + at.size(), fetched_at);
    EXPECT_GE(fetched_at, before);
    EXPECT_LE(fetched_at, clock_.unix_ms());
    EXPECT_EQ(record.timestamp_ms, fetched_at);
  }
}

TEST_F(CrawlerTest, SaysWhoItIsAndAsksForNoCompression) {
  const testing::TestWeb web(visits_, testing::serve_png());
  allow(web);
  list({web.url("/")});
  crawl();
  const auto visits = visits_.all();
  ASSERT_EQ(visits.size(), 1U);
  EXPECT_EQ(visits[0].user_agent, options_.user_agent);
  EXPECT_FALSE(visits[0].wants_compression);
}

TEST_F(CrawlerTest, FollowsARedirectToAnotherHostAndKeepsTheListedUrl) {
  const testing::TestWeb target(visits_, testing::serve_png(), "127.0.0.2");
  const testing::TestWeb web(
      visits_, [&](const httplib::Request&, httplib::Response& response) {
        response.set_redirect(target.url("/there.png"));
      });
  allow(web);
  allow(target);
  list({web.url("/here.png")});
  const CrawlStats stats = crawl();
  EXPECT_EQ(stats.count(CrawlOutcome::kOk), 1U);
  EXPECT_EQ(stats.redirects, 1U);
  const auto got = records();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(as_text(got[0].payload), testing::png("/there.png"));
  EXPECT_EQ(find_header(got[0].headers, kHeaderUrl), web.url("/here.png"));
}

TEST_F(CrawlerTest, FollowsARelativeRedirect) {
  const testing::TestWeb web(
      visits_,
      [&](const httplib::Request& request, httplib::Response& response) {
        if (request.path == "/a/here") {
          response.set_redirect("../there.png", 301);
        } else {
          response.set_content(testing::png(request.path), "image/png");
        }
      });
  allow(web);
  list({web.url("/a/here")});
  EXPECT_EQ(crawl().count(CrawlOutcome::kOk), 1U);
  ASSERT_EQ(records().size(), 1U);
  EXPECT_EQ(as_text(records()[0].payload), testing::png("/there.png"));
}

TEST_F(CrawlerTest, PublishesWhatIsNamedOrLooksLikeAnImageAndNothingElse) {
  const testing::TestWeb web(
      visits_,
      [&](const httplib::Request& request, httplib::Response& response) {
        if (request.path == "/looks") {
          response.set_content(testing::png(), "application/octet-stream");
        } else if (request.path == "/named") {
          response.set_content("who knows what this is", "image/x-odd");
        } else if (request.path == "/empty") {
          response.set_content("", "image/png");
        } else if (request.path == "/tiny") {
          response.set_content("ok", "text/plain");
        } else if (request.path == "/page") {
          response.set_content(
              "<html>" + std::string(1'000'000, ' '), "text/html");
        } else {
          response.status = 404;
          response.set_content(testing::png(), "image/png");
        }
      });
  allow(web);
  list(
      {web.url("/looks"),
       web.url("/named"),
       web.url("/empty"),
       web.url("/tiny"),
       web.url("/page"),
       web.url("/gone")});
  const CrawlStats stats = crawl();
  EXPECT_EQ(stats.count(CrawlOutcome::kOk), 2U);
  EXPECT_EQ(stats.count(CrawlOutcome::kNotImage), 3U);
  EXPECT_EQ(stats.count(CrawlOutcome::kHttpError), 1U);
  // A page is left as soon as its first bytes show what it is.
  EXPECT_LT(stats.response_bytes, 500'000U);
}

TEST_F(CrawlerTest, ClassifiesWhatNeverAnswers) {
  std::uint16_t closed_port = 0;
  {
    const testing::TestWeb gone(visits_, testing::serve_png());
    closed_port = gone.port();
  }
  const testing::TestWeb web(visits_, testing::serve_png());
  allow(web);
  options_.allowed_ports.push_back(closed_port);
  const std::string port = std::to_string(web.port());
  list(
      {"http://127.0.0.1:" + std::to_string(closed_port) + "/",
       // No name server is asked for a label of more than 63 characters.
       "http://" + std::string(64, 'a') + ".invalid:" + port + "/",
       "https://127.0.0.1:" + port + "/"});
  const CrawlStats stats = crawl();
  EXPECT_EQ(stats.count(CrawlOutcome::kConnect), 1U);
  EXPECT_EQ(stats.count(CrawlOutcome::kDns), 1U);
  EXPECT_EQ(stats.count(CrawlOutcome::kTls), 1U);
}

TEST_F(CrawlerTest, CountsARecordTheStreamDoesNotTake) {
  const testing::TestWeb web(
      visits_,
      [&](const httplib::Request& request, httplib::Response& response) {
        const std::size_t size = request.path == "/big" ? 5000 : 5;
        response.set_content(testing::png(std::string(size, 'x')), "image/png");
      });
  allow(web);
  SinkOptions small;
  small.max_record_bytes = 1000;
  sink_ = stream_->sink(small);
  list({web.url("/big"), web.url("/small")});
  const CrawlStats stats = crawl();
  EXPECT_EQ(stats.refused, 1U);
  EXPECT_EQ(stats.published, 1U);
}

TEST_F(CrawlerTest, NamesAListThatIsNotThere) {
  options_.allowed_ports = {80};
  options_.lists = {"/no/such/list"};
  const auto summary = make(*sink_)->run({});
  ASSERT_FALSE(summary.ok());
  EXPECT_EQ(summary.error().code, ErrorCode::kNotFound);
}

TEST_F(CrawlerTest, IsNotMadeWithOptionsOutOfRange) {
  options_.allowed_ports = {80};
  options_.lists = {"list"};
  options_.allow_networks = {"loopback"};
  const auto crawler = Crawler::create(options_, *sink_, clock_);
  ASSERT_FALSE(crawler.ok());
  EXPECT_EQ(crawler.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace swavd::ingest
