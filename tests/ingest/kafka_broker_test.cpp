// What only a real broker does: keep data across a crash, delete by
// retention, take large records, run transactions.
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include "ingest/kafka/handles.h"
#include "ops/base/clock.h"
#include "ops/base/sha256.h"
#include "tests/ingest/kafka_streams.h"
#include "tests/ingest/real_kafka.h"

namespace swavd::ingest::testing {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{60000};

class KafkaBroker : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    kafka_ = RealKafka::shared(why);
    if (kafka_ == nullptr) {
      GTEST_SKIP() << why;
    }
    topic_ = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    kafka_->create_topic(topic_, 1);
    url_ = kafka_->url(topic_);
  }

  /// Records of 200 kB whose keys are the numbers [0, count).
  void publish_large(int count) {
    auto sink = opened_sink(url_);
    for (int i = 0; i < count; ++i) {
      OutRecord record = text_record(std::to_string(i));
      record.payload.resize(200000);
      ASSERT_TRUE(sink->publish(std::move(record)).ok());
    }
    ASSERT_TRUE(sink->flush(kPatience).ok());
  }

  /// Reads until an error; gives it and the offsets read.
  static Error read_to_error(
      Source& source,
      std::vector<std::int64_t>& offsets) {
    while (true) {
      auto polled = source.poll(kPatience);
      if (!polled.ok()) {
        return polled.error();
      }
      if (polled.value().state == PollState::kIdle) {
        return {ErrorCode::kInternal, "no error came"};
      }
      offsets.push_back(polled.value().record.address.offset);
    }
  }

  RealKafka* kafka_ = nullptr;
  std::string topic_;
  StreamUrl url_;
};

/// What the group of a run has committed for partition 0.
std::int64_t committed(const StreamUrl& url, const std::string& group) {
  char why[256];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(
      conf, "bootstrap.servers", url.brokers.c_str(), why, sizeof(why));
  rd_kafka_conf_set(conf, "group.id", group.c_str(), why, sizeof(why));
  const KafkaHandle client(
      rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why)));
  const PartitionsHandle list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), url.topic.c_str(), 0);
  EXPECT_EQ(
      rd_kafka_committed(client.get(), list.get(), 30000),
      RD_KAFKA_RESP_ERR_NO_ERROR);
  return list->elems[0].offset;
}

/// Publishes `texts` in one transaction, committed or aborted.
void publish_transaction(
    const StreamUrl& url,
    const std::vector<std::string>& texts,
    bool commit) {
  char why[256];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(
      conf, "bootstrap.servers", url.brokers.c_str(), why, sizeof(why));
  rd_kafka_conf_set(conf, "transactional.id", "t", why, sizeof(why));
  const KafkaHandle client(
      rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why)));
  const TopicHandle topic(
      rd_kafka_topic_new(client.get(), url.topic.c_str(), nullptr));
  EXPECT_EQ(
      ErrorHandle(rd_kafka_init_transactions(client.get(), 30000)), nullptr);
  EXPECT_EQ(ErrorHandle(rd_kafka_begin_transaction(client.get())), nullptr);
  for (const std::string& text : texts) {
    EXPECT_EQ(
        rd_kafka_produce(
            topic.get(),
            0,
            RD_KAFKA_MSG_F_COPY,
            const_cast<char*>(text.data()),
            text.size(),
            nullptr,
            0,
            nullptr),
        0);
  }
  rd_kafka_flush(client.get(), 30000);
  const ErrorHandle error(
      commit ? rd_kafka_commit_transaction(client.get(), 30000)
             : rd_kafka_abort_transaction(client.get(), 30000));
  EXPECT_EQ(error, nullptr);
}

}  // namespace

TEST_F(KafkaBroker, AcknowledgedRecordsSurviveAKillAndReadingGoesOn) {
  auto sink = opened_sink(url_);
  publish_numbers(*sink, 0, 50);
  ASSERT_TRUE(sink->flush(kPatience).ok());
  auto source = reading_source(url_);
  EXPECT_EQ(texts_of(read_through(*source, 30)), numbers(0, 30));
  kafka_->kill();
  publish_numbers(*sink, 50, 60);  // held until the broker is back
  kafka_->restart();
  const Status flushed = sink->flush(kPatience);
  ASSERT_TRUE(flushed.ok()) << flushed.error().message;
  EXPECT_EQ(texts_of(read_through(*source, 30)), numbers(30, 60));
}

TEST_F(KafkaBroker, RetentionThatOvertakesTheReaderStopsIt) {
  publish_large(60);
  SourceOptions options;
  options.prefetch_bytes = 0;  // so that the reader lags behind retention
  auto source = reading_source(url_, options);
  ASSERT_EQ(read_through(*source, 1).size(), 1U);
  kafka_->delete_records(topic_, 0, 58);
  std::vector<std::int64_t> offsets;
  const Error error = read_to_error(*source, offsets);
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  ASSERT_FALSE(offsets.empty());
  ASSERT_LT(offsets.back(), 57) << "all was prefetched: nothing is tested";
  EXPECT_NE(
      error.message.find(
          std::to_string(offsets.back() + 1) + " to 57 are gone"),
      std::string::npos)
      << error.message;
}

TEST_F(KafkaBroker, RetentionThatOvertakesTheReaderIsJumpedWhenAllowed) {
  publish_large(60);
  SourceOptions options;
  options.prefetch_bytes = 0;
  options.jump_gaps = true;
  std::vector<OffsetRange> gaps;
  options.on_gap = [&gaps](std::int32_t, std::int64_t from, std::int64_t to) {
    gaps.push_back({from, to});
  };
  auto source = reading_source(url_, options);
  ASSERT_EQ(read_through(*source, 1).size(), 1U);
  kafka_->delete_records(topic_, 0, 58);
  std::vector<std::int64_t> offsets = {0};
  while (offsets.back() < 59) {
    const auto records = read_through(*source, 1);
    ASSERT_EQ(records.size(), 1U);
    if (gaps.empty()) {
      EXPECT_EQ(records[0].address.offset, offsets.back() + 1);
    }
    offsets.push_back(records[0].address.offset);
  }
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].last, 57);
  // Each offset was either read or is in the gap.
  EXPECT_EQ(
      static_cast<std::int64_t>(offsets.size()) + gaps[0].last - gaps[0].first +
          1,
      60);
}

TEST_F(KafkaBroker, ARecordOfNearlySixteenMebibytesGoesThrough) {
  auto sink = opened_sink(url_);
  OutRecord large = text_record("large");
  large.payload.resize((16U << 20U) - 65536, 0xabU);
  const std::string digest = sha256_hex(large.payload);
  ASSERT_TRUE(sink->publish(std::move(large)).ok());
  publish_numbers(*sink, 0, 3);
  const Status flushed = sink->flush(kPatience);
  ASSERT_TRUE(flushed.ok()) << flushed.error().message;
  SourceOptions options;
  options.prefetch_bytes = 0;
  auto source = reading_source(url_, options);
  const auto records = read_through(*source, 4);
  ASSERT_EQ(records.size(), 4U);
  EXPECT_EQ(sha256_hex(records[0].payload), digest);
}

TEST_F(KafkaBroker, ARecordThatTheBrokerRefusesIsToldByTheFlush) {
  SinkOptions options;
  options.max_record_bytes = 64U << 20U;  // more than the broker takes
  auto sink = opened_sink(url_, options);
  OutRecord large = text_record("large");
  large.payload.resize(17U << 20U);
  const std::string size = std::to_string(large.payload.size());
  ASSERT_TRUE(sink->publish(std::move(large)).ok());
  const Status flushed = sink->flush(kPatience);
  ASSERT_FALSE(flushed.ok());
  EXPECT_EQ(flushed.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(flushed.error().message.find(size), std::string::npos)
      << flushed.error().message;
}

TEST_F(KafkaBroker, ProgressIsCommittedForLagToolsAndNeverReadBack) {
  auto sink = opened_sink(url_);
  publish_numbers(*sink, 0, 10);
  ASSERT_TRUE(sink->flush(kPatience).ok());
  SourceOptions options;
  options.run = topic_;
  auto source = reading_source(url_, options);
  ASSERT_EQ(read_through(*source, 10).size(), 10U);
  auto positions = positions_from_start(*source);
  positions[0].next = 7;
  source->publish_progress(positions);
  source.reset();  // waits for the commit under way
  EXPECT_EQ(committed(url_, "swavd-" + topic_), 7);
  auto again = reading_source(url_, options);
  EXPECT_EQ(texts_of(read_through(*again, 10)), numbers(0, 10));
}

TEST_F(KafkaBroker, ARunCanStartAtATime) {
  const std::int64_t base = SystemClock().unix_ms() - 3600000;
  auto sink = opened_sink(url_);
  for (int i = 0; i < 10; ++i) {
    OutRecord record = text_record(std::to_string(i));
    record.timestamp_ms = base + 1000 * i;
    ASSERT_TRUE(sink->publish(std::move(record)).ok());
    ASSERT_TRUE(sink->flush(kPatience).ok());
  }
  auto source = opened_source(url_);
  const auto start_at = [&source](std::int64_t time_ms) {
    const auto bounds = source->resolve_start({StartAt::kTime, time_ms});
    EXPECT_TRUE(bounds.ok()) << bounds.error().message;
    return bounds.value().front().begin;
  };
  EXPECT_EQ(start_at(0), 0);
  EXPECT_EQ(start_at(base + 3500), 4);
  EXPECT_EQ(start_at(base + 9001), 10);
}

TEST_F(KafkaBroker, HolesThatTransactionsLeaveAreSteppedOverInOrder) {
  publish_transaction(url_, {"0", "1"}, /*commit=*/true);
  publish_transaction(url_, {"2"}, /*commit=*/false);
  publish_transaction(url_, {"3"}, /*commit=*/true);
  auto source = reading_source(url_);
  // Aborted records exist too: read_uncommitted.
  const auto records = read_through(*source, 4);
  ASSERT_EQ(texts_of(records), numbers(0, 4));
  StreamProgress progress(positions_from_start(*source), {});
  std::int64_t next = 0;
  for (const Record& record : records) {
    if (record.address.offset > next) {
      progress.absent(0, next, record.address.offset - 1);
    }
    next = record.address.offset + 1;
    ASSERT_TRUE(progress
                    .consume(
                        {record.address,
                         record.timestamp_ms,
                         sha256(record.payload),
                         Outcome::kTrained})
                    .ok());
  }
  const Position position = progress.positions().front();
  EXPECT_EQ(position.next, next);
  EXPECT_GT(next, 4) << "no hole: nothing is tested";
  EXPECT_TRUE(position.done_above.empty());
  EXPECT_EQ(position.trained, 4U);
  // And such a position is one to resume from.
  auto again = opened_source(url_);
  const Status status = again->assign({position});
  EXPECT_TRUE(status.ok()) << status.error().message;
}

TEST_F(KafkaBroker, AReaderDoesNotCreateTheTopicItAsksFor) {
  const auto source = open_kafka_source(kafka_->url("nobody-made-this"), {});
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.error().code, ErrorCode::kNotFound);
}

TEST_F(KafkaBroker, AWriterLetsTheBrokerCreateItsTopic) {
  const StreamUrl url = kafka_->url("made-by-the-writer");
  auto sink = opened_sink(url);
  publish_numbers(*sink, 0, 3);
  ASSERT_TRUE(sink->flush(kPatience).ok());
  auto source = opened_source(url);
  EXPECT_EQ(source->bounds().value().size(), 4U);
}

TEST_F(KafkaBroker, ATopicDeletedUnderTheReaderIsSaid) {
  auto sink = opened_sink(url_);
  publish_numbers(*sink, 0, 3);
  ASSERT_TRUE(sink->flush(kPatience).ok());
  sink.reset();
  auto source = reading_source(url_);
  ASSERT_EQ(read_through(*source, 3).size(), 3U);
  kafka_->delete_topic(topic_);
  std::vector<std::int64_t> offsets;
  const Error error = read_to_error(*source, offsets);
  EXPECT_EQ(error.code, ErrorCode::kNotFound) << error.message;
  EXPECT_NE(error.message.find(topic_), std::string::npos);
}

}  // namespace swavd::ingest::testing
