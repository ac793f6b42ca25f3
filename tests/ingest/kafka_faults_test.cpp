// What Kafka does wrong, injected with librdkafka's brokers in memory.
#include <atomic>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ops/base/stage.h"
#include "tests/ingest/kafka_streams.h"
#include "tests/ingest/mock_kafka.h"

namespace swavd::ingest::testing {

namespace {

using std::chrono::milliseconds;

constexpr std::int16_t kProduceApi = 0;
constexpr std::int16_t kFetchApi = 1;
constexpr std::int16_t kListOffsetsApi = 2;
constexpr milliseconds kPatience{30000};

/// One partition: the order of all records is one line.
class KafkaFaults : public ::testing::Test {
 protected:
  void SetUp() override { kafka_.create_topic("images", 1); }

  /// Polls until an error comes.
  static Error error_of(Source& source) {
    while (true) {
      auto polled = source.poll(kPatience);
      if (!polled.ok()) {
        return polled.error();
      }
    }
  }

  SourceOptions counting() {
    SourceOptions options;
    options.events.on_error = [this](std::string_view reason, auto) {
      const std::lock_guard lock(mutex_);
      reasons_.emplace_back(reason);
    };
    return options;
  }

  std::size_t told(std::string_view reason) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(
        std::count(reasons_.begin(), reasons_.end(), reason));
  }

  MockKafka kafka_{2};
  const StreamUrl url_ = kafka_.url("images");
  std::mutex mutex_;
  std::vector<std::string> reasons_;
};

}  // namespace

TEST_F(KafkaFaults, AnOutageIsToldOnceThenIdleAndEndsByItself) {
  auto sink = opened_sink(url_);
  publish_numbers(*sink, 0, 5);
  ASSERT_TRUE(sink->flush(kPatience).ok());
  auto source = reading_source(url_, counting());
  EXPECT_EQ(texts_of(read_through(*source, 5)), numbers(0, 5));

  for (int outage = 1; outage <= 2; ++outage) {
    kafka_.set_down();
    EXPECT_EQ(error_of(*source).code, ErrorCode::kUnavailable);
    // While it lasts, reconnects go on failing without a word.
    const auto during = source->poll(milliseconds(1500));
    ASSERT_TRUE(during.ok()) << during.error().message;
    EXPECT_EQ(during.value().state, PollState::kIdle);
    EXPECT_EQ(told("stream_unavailable"), static_cast<std::size_t>(outage));
    kafka_.set_up();
    publish_numbers(*sink, 5 * outage, 5 * outage + 5);
    EXPECT_EQ(
        texts_of(read_through(*source, 5)),
        numbers(5 * outage, 5 * outage + 5));
    // Back long enough for the reader to notice: a probe each half second.
    while (source->poll(milliseconds(2000)).value().state != PollState::kIdle) {
    }
  }
}

TEST_F(KafkaFaults, WhatIsPublishedInAnOutageArrivesOnceAndInOrder) {
  auto sink = opened_sink(url_);
  publish_numbers(*sink, 0, 10);
  ASSERT_TRUE(sink->flush(kPatience).ok());
  kafka_.set_down();
  publish_numbers(*sink, 10, 20);
  const Status early = sink->flush(milliseconds(300));
  ASSERT_FALSE(early.ok());
  EXPECT_EQ(early.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(early.error().message.find("10 records"), std::string::npos)
      << early.error().message;
  kafka_.set_up();
  const Status late = sink->flush(kPatience);
  ASSERT_TRUE(late.ok()) << late.error().message;
  auto source = reading_source(url_);
  EXPECT_EQ(texts_of(read_through(*source, 20)), numbers(0, 20));
  EXPECT_EQ(source->poll(milliseconds(300)).value().state, PollState::kIdle);
}

TEST_F(KafkaFaults, RetriedProduceRequestsDoubleAndSwapNothing) {
  auto sink = opened_sink(url_);
  kafka_.fail_next(
      kProduceApi,
      {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
       RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
       RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
       RD_KAFKA_RESP_ERR__TRANSPORT});
  for (int i = 0; i < 50; i += 10) {
    publish_numbers(*sink, i, i + 10);
  }
  const Status flushed = sink->flush(kPatience);
  ASSERT_TRUE(flushed.ok()) << flushed.error().message;
  auto source = reading_source(url_);
  EXPECT_EQ(texts_of(read_through(*source, 50)), numbers(0, 50));
  EXPECT_EQ(source->poll(milliseconds(300)).value().state, PollState::kIdle);
}

TEST_F(KafkaFaults, AFailedRecordIsToldByOneFlush) {
  auto sink = opened_sink(url_);
  kafka_.fail_next(kProduceApi, {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE});
  publish_numbers(*sink, 0, 1);
  const Status failed = sink->flush(kPatience);
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().message.find("images"), std::string::npos);
  EXPECT_NE(
      failed.error().message.find("MSG_SIZE_TOO_LARGE"), std::string::npos)
      << failed.error().message;
  publish_numbers(*sink, 1, 2);
  EXPECT_TRUE(sink->flush(kPatience).ok());
}

TEST_F(KafkaFaults, FailedFetchesLoseNothing) {
  auto sink = opened_sink(url_);
  publish_numbers(*sink, 0, 20);
  ASSERT_TRUE(sink->flush(kPatience).ok());
  kafka_.fail_next(
      kFetchApi,
      {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
       RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
       RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
       RD_KAFKA_RESP_ERR__TRANSPORT});
  auto source = reading_source(url_);
  EXPECT_EQ(texts_of(read_through(*source, 20)), numbers(0, 20));
}

TEST_F(KafkaFaults, AnOffsetThatIsThereAfterAllIsReadOn) {
  auto sink = opened_sink(url_);
  publish_numbers(*sink, 0, 10);
  ASSERT_TRUE(sink->flush(kPatience).ok());
  // A broker that lags behind its fellows says this for a moment.
  kafka_.fail_next(kFetchApi, {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE});
  auto source = reading_source(url_);
  EXPECT_EQ(texts_of(read_through(*source, 10)), numbers(0, 10));
  publish_numbers(*sink, 10, 20);
  EXPECT_EQ(texts_of(read_through(*source, 10)), numbers(10, 20));
}

TEST_F(KafkaFaults, BoundsWaitForABrokerThatDoesNotKnowItsPartitionsYet) {
  auto sink = opened_sink(url_);
  publish_numbers(*sink, 0, 10);
  ASSERT_TRUE(sink->flush(kPatience).ok());
  auto source = reading_source(url_);
  // One question fails, or its answers about beginning and end, or the next.
  for (const std::size_t failures : {1, 2, 3}) {
    const std::vector<rd_kafka_resp_err_t> unknown(
        failures, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    kafka_.fail_next(kListOffsetsApi, unknown);
    const auto bounds = source->bounds();
    ASSERT_TRUE(bounds.ok()) << bounds.error().message;
    ASSERT_EQ(bounds.value().size(), 1U);
    EXPECT_EQ(bounds.value().front().begin, 0);
    EXPECT_EQ(bounds.value().front().end, 10);
  }
}

TEST_F(KafkaFaults, ReadingFollowsTheLeader) {
  auto sink = opened_sink(url_);
  auto source = reading_source(url_);
  for (int i = 0; i < 4; ++i) {
    kafka_.move_leader("images", 0, 1 + i % 2);
    publish_numbers(*sink, 5 * i, 5 * i + 5);
    EXPECT_EQ(texts_of(read_through(*source, 5)), numbers(5 * i, 5 * i + 5));
  }
}

TEST_F(KafkaFaults, CloseWakesAPublisherThatAnOutageHoldsUp) {
  SinkOptions options;
  options.buffer_bytes = 10;
  auto sink = opened_sink(url_, options);
  kafka_.set_down();
  publish_numbers(*sink, 0, 1);
  std::atomic<bool> waiting = false;
  Status outcome = ok_status();
  Stage publisher("publisher", [&](std::stop_token) {
    do {
      waiting = true;
      waiting.notify_all();
      outcome = sink->publish(text_record("0123456789"));
    } while (outcome.ok());
  });
  waiting.wait(false);
  sink->close();
  publisher.join();
  EXPECT_EQ(outcome.error().code, ErrorCode::kCancelled);
}

TEST_F(KafkaFaults, ATopicThatIsNotThereIsNamed) {
  kafka_.set_topic_error("images", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const auto source = open_kafka_source(url_, {});
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().code, ErrorCode::kNotFound);
  const auto sink = open_kafka_sink(url_, {});
  ASSERT_FALSE(sink.ok());
  EXPECT_EQ(sink.error().code, ErrorCode::kNotFound);
  EXPECT_NE(
      sink.error().message.find("--create --topic images"), std::string::npos)
      << sink.error().message;
}

TEST_F(KafkaFaults, BrokersOutOfReachAreNamedAtOpening) {
  kafka_.set_down();
  const auto source = open_kafka_source(url_, {});
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(source.error().message.find(url_.brokers), std::string::npos)
      << source.error().message;
}

TEST_F(KafkaFaults, AClientKeyThatSwavdOwnsIsRefusedAtOpening) {
  SourceOptions source;
  source.client = {{"auto.offset.reset", "latest"}};
  EXPECT_EQ(
      open_kafka_source(url_, source).error().code,
      ErrorCode::kInvalidArgument);
  SinkOptions sink;
  sink.client = {{"acks", "0"}};
  EXPECT_EQ(
      open_kafka_sink(url_, sink).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(KafkaFaults, ASlowPollerGetsEverythingThroughSmallQueues) {
  SinkOptions wide;
  auto sink = opened_sink(url_, wide);
  constexpr int kRecords = 40;
  for (int i = 0; i < kRecords; ++i) {
    OutRecord record = text_record(std::to_string(i));
    record.payload.resize(100000);
    ASSERT_TRUE(sink->publish(std::move(record)).ok());
  }
  ASSERT_TRUE(sink->flush(kPatience).ok());
  SourceOptions narrow;
  narrow.prefetch_bytes = 0;  // the least: 1 MiB in either queue
  auto source = reading_source(url_, narrow);
  const auto records = read_through(*source, kRecords);
  ASSERT_EQ(records.size(), static_cast<std::size_t>(kRecords));
  for (int i = 0; i < kRecords; ++i) {
    EXPECT_EQ(records[static_cast<std::size_t>(i)].key, std::to_string(i));
  }
}

}  // namespace swavd::ingest::testing
