#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ingest/crawler.h"
#include "ops/base/stage.h"
#include "tests/ingest/crawl/crawl_fixture.h"

namespace swavd::ingest {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class CrawlerStop : public testing::CrawlTest {
 protected:
  void list_many(const testing::TestWeb& web, int count) {
    allow(web);
    std::vector<std::string> urls;
    for (int i = 0; i < count; ++i) {
      urls.push_back(web.url("/" + std::to_string(i)));
    }
    list(urls);
  }
};

TEST_F(CrawlerStop, TimesOutOnAServerThatNeverAnswers) {
  testing::Gate gate;
  const testing::TestWeb web(
      visits_, [&](const httplib::Request&, httplib::Response& response) {
        gate.wait();
        response.set_content(testing::png(), "image/png");
      });
  allow(web);
  options_.total_timeout = milliseconds(200);
  list({web.url("/")});
  EXPECT_EQ(crawl().count(CrawlOutcome::kTimeout), 1U);
  gate.open();
}

TEST_F(CrawlerStop, TimesOutOnAServerThatDripsItsAnswer) {
  testing::Gate gate;
  const testing::TestWeb web(
      visits_, [&](const httplib::Request&, httplib::Response& response) {
        response.set_chunked_content_provider(
            "image/png", [&](std::size_t offset, httplib::DataSink& sink) {
              if (offset > 0) {
                gate.wait();
              }
              return sink.write("\x89PNG", 4);
            });
      });
  allow(web);
  options_.low_speed_bytes_per_second = 100;
  options_.low_speed_time = seconds(1);
  list({web.url("/")});
  EXPECT_EQ(crawl().count(CrawlOutcome::kTimeout), 1U);
  gate.open();
}

TEST_F(CrawlerStop, EndsAtOnceWhenStoppedInTheMiddleOfATransfer) {
  testing::Gate gate;
  const testing::TestWeb web(
      visits_,
      [&](const httplib::Request&, httplib::Response&) { gate.wait(); });
  list_many(web, 10);
  const auto crawler = make(*sink_);
  std::stop_source stop;
  const Stage stopper("stopper", [&](const std::stop_token&) {
    visits_.wait_for(1);
    stop.request_stop();
  });
  const auto before = clock_.steady();
  const auto summary = crawler->run(stop.get_token());
  gate.open();
  ASSERT_TRUE(summary.ok());
  EXPECT_TRUE(summary.value().stopped);
  EXPECT_EQ(summary.value().stats.abandoned, 10U);
  expect_sums(summary.value().stats);
  // Far below `total_timeout`, which a transfer left alone would take.
  EXPECT_LT(clock_.steady() - before, options_.total_timeout / 4);
}

TEST_F(CrawlerStop, EndsWhenStoppedWhileTheStreamIsFull) {
  const testing::TestWeb web(visits_, testing::serve_png());
  list_many(web, 100);
  options_.stop_grace = milliseconds(20);
  stream_->set_capacity(5);
  const auto crawler = make(*sink_);
  std::stop_source stop;
  const Stage stopper("stopper", [&](const std::stop_token&) {
    stream_->wait_for_blocked_publishers(1);
    visits_.wait_for(10);
    stop.request_stop();
  });
  const auto summary = crawler->run(stop.get_token());
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  EXPECT_TRUE(summary.value().stopped);
  EXPECT_EQ(summary.value().stats.published, 5U);
  EXPECT_GT(summary.value().stats.discarded, 0U);
  expect_sums(summary.value().stats);
}

TEST_F(CrawlerStop, PublishesWhatWasFetchedBeforeTheStop) {
  testing::Gate gate;
  const testing::TestWeb web(
      visits_, [&](const httplib::Request&, httplib::Response& response) {
        if (visits_.count() > 8) {
          gate.wait();
        }
        response.set_content(testing::png(), "image/png");
      });
  list_many(web, 20);
  const auto crawler = make(*sink_);
  std::stop_source stop;
  const Stage stopper("stopper", [&](const std::stop_token&) {
    visits_.wait_for(9);
    stop.request_stop();
  });
  const auto summary = crawler->run(stop.get_token());
  gate.open();
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary.value().stats.published, 8U);
  EXPECT_EQ(summary.value().stats.discarded, 0U);
  EXPECT_EQ(records().size(), 8U);
}

TEST_F(CrawlerStop, RepeatsItsListsUntilStopped) {
  const testing::TestWeb web(visits_, testing::serve_png());
  list_many(web, 3);
  options_.repeat = true;
  options_.frontier_urls = 4;
  const auto crawler = make(*sink_);
  std::stop_source stop;
  const Stage stopper("stopper", [&](const std::stop_token&) {
    visits_.wait_for(30);
    stop.request_stop();
  });
  const auto summary = crawler->run(stop.get_token());
  ASSERT_TRUE(summary.ok());
  EXPECT_TRUE(summary.value().stopped);
  EXPECT_GE(summary.value().stats.urls_read, 30U);
}

/// A sink that holds the first record back until the crawler has fetched all
/// it surely may, and notes whether it then fetches more than it may.
class HoldingSink final : public Sink {
 public:
  HoldingSink(testing::Visits& visits, std::size_t surely, std::size_t at_most)
      : visits_(visits),
        surely_(surely),
        at_most_(at_most) {}

  Status publish(OutRecord record) override {
    (void)record;
    if (published_++ == 0) {
      visits_.wait_for(surely_);
      overran_ = visits_.reaches(at_most_ + 1, milliseconds(200));
    }
    return ok_status();
  }

  Status flush(milliseconds timeout) override {
    (void)timeout;
    return ok_status();
  }

  void close() override {}

  [[nodiscard]] std::size_t published() const { return published_; }

  [[nodiscard]] bool overran() const { return overran_; }

 private:
  testing::Visits& visits_;
  const std::size_t surely_;
  const std::size_t at_most_;
  std::size_t published_ = 0;  // one thread publishes
  bool overran_ = false;
};

TEST_F(CrawlerStop, FetchesNoFurtherAheadOfTheStreamThanItsQueue) {
  std::vector<std::unique_ptr<testing::TestWeb>> webs;
  std::vector<std::string> urls;
  for (int i = 1; i <= 3; ++i) {
    webs.push_back(std::make_unique<testing::TestWeb>(
        visits_, testing::serve_png(), "127.0.0." + std::to_string(i)));
    allow(*webs.back());
    for (int k = 0; k < 50; ++k) {
      urls.push_back(webs.back()->url("/" + std::to_string(k)));
    }
  }
  list(urls);
  options_.max_inflight = 2;
  options_.publish_queue = 5;
  // The last transfers start with four bodies waiting.
  HoldingSink sink(
      visits_,
      options_.publish_queue,
      options_.publish_queue - 1 + options_.max_inflight);
  const auto crawler = make(sink);
  const auto summary = crawler->run({});
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(sink.published(), 150U);
  EXPECT_FALSE(sink.overran());
}

/// A sink that fails for good after a few records.
class BrokenSink final : public Sink {
 public:
  Status publish(OutRecord record) override {
    (void)record;
    if (++taken_ > 3) {
      return Error{ErrorCode::kIo, "the disk is gone"};
    }
    return ok_status();
  }

  Status flush(milliseconds timeout) override {
    (void)timeout;
    return ok_status();
  }

  void close() override {}

 private:
  int taken_ = 0;
};

TEST_F(CrawlerStop, EndsWithTheErrorOfTheStream) {
  const testing::TestWeb web(visits_, testing::serve_png());
  list_many(web, 1000);
  BrokenSink sink;
  const auto crawler = make(sink);
  const auto summary = crawler->run({});
  ASSERT_FALSE(summary.ok());
  EXPECT_EQ(summary.error().code, ErrorCode::kIo);
  EXPECT_NE(
      summary.error().message.find("the disk is gone"), std::string::npos);
  const CrawlStats stats = crawler->stats();
  EXPECT_EQ(stats.published, 3U);
  expect_sums(stats);
}

}  // namespace
}  // namespace swavd::ingest
