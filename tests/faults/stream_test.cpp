// What brokers and topics do: go away, come back, lose their leader, drop what
// was not read yet, get partitions, start anew; and floods of poison.

#include <csignal>
#include <memory>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/images.h"
#include "tests/e2e/scale.h"
#include "tests/faults/fault_site.h"
#include "tests/faults/matrix.h"
#include "tests/ingest/mock_kafka.h"
#include "tests/ingest/real_kafka.h"

namespace swavd::faults {
namespace {

using ingest::testing::MockKafka;
using ingest::testing::RealKafka;

constexpr int kPartitions = 4;

e2e::SiteOptions on(const ingest::StreamUrl& url) {
  e2e::SiteOptions options = FaultSite::every_step();
  options.stream_url = to_string(url);
  return options;
}

/// librdkafka's own brokers, in this process; the daemon reaches them by TCP.
class Broker : public ::testing::Test {
 protected:
  void SetUp() override {
    kafka_.create_topic("images", kPartitions);
    kafka_.create_topic("images.dead", 1);
    faults_ = std::make_unique<FaultSite>(on(kafka_.url("images")));
    faults_->feed(kBatch);
  }

  MockKafka kafka_{2};
  std::unique_ptr<FaultSite> faults_;
};

TEST_F(Broker, AnswersWithErrorsThatPass) {
  Row row(
      "fetches answered with errors that pass",
      "tried again: nothing is skipped or doubled");
  constexpr std::int16_t kFetchApi = 1;
  const auto daemon = faults_->recover();
  const std::uint64_t times = repeats(20, 3);
  for (std::uint64_t i = 0; i < times && !HasFailure(); ++i) {
    kafka_.fail_next(
        kFetchApi,
        {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
         RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
         RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT});
    faults_->feed(kBatch);
    ASSERT_TRUE(faults_->catch_up(*daemon));
    row.injected(3);
  }
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  faults_->heed(*daemon);
  faults_->finish();
}

TEST_F(Broker, LeadersMove) {
  Row row(
      "the leader of a partition moves in the middle of a run",
      "it follows: nothing is skipped or doubled");
  const auto daemon = faults_->recover();
  const std::uint64_t times = repeats(20, 4);
  for (std::uint64_t i = 0; i < times && !HasFailure(); ++i) {
    kafka_.move_leader(
        "images",
        static_cast<std::int32_t>(i % kPartitions),
        static_cast<std::int32_t>(i / kPartitions % 2 + 1));
    faults_->feed(kBatch);
    ASSERT_TRUE(faults_->catch_up(*daemon));
    row.injected();
  }
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  faults_->heed(*daemon);
  faults_->finish();
}

/// One broker of Apache Kafka for a test.
class RealBroker : public ::testing::Test {
 protected:
  void SetUp() override {
    kafka_ = RealKafka::start(why_);
    if (!kafka_) {
      GTEST_SKIP() << why_;
    }
    kafka_->create_topic("images", kPartitions);
    faults_ = std::make_unique<FaultSite>(on(kafka_->url("images")));
    faults_->feed(4 * kBatch);
  }

  void make_a_run() {
    const auto daemon = faults_->recover();
    ASSERT_TRUE(faults_->catch_up(*daemon));
    ASSERT_EQ(e2e::Site::drain(*daemon), 0);
    faults_->heed(*daemon);
  }

  /// A start that must be refused: its log.
  std::string refused(int status) {
    const auto daemon = faults_->start();
    EXPECT_EQ(daemon->wait(e2e::kPatience), status) << daemon->err();
    return daemon->err();
  }

  std::string why_;
  std::unique_ptr<RealKafka> kafka_;
  std::unique_ptr<FaultSite> faults_;
};

TEST_F(RealBroker, KilledInTheMiddleOfARun) {
  Row row(
      "a real broker is killed with -9 in the middle of a run and started "
      "again",
      "it waits, alive, and goes on at its position");
  const auto daemon = faults_->recover();
  const std::uint64_t times = repeats(5, 1);
  for (std::uint64_t i = 0; i < times && !HasFailure(); ++i) {
    faults_->feed(3 * kBatch);
    kafka_->kill();
    faults_->expect_reason(
        *daemon,
        R"(swavd_stream_errors_total{reason="stream_unavailable"})",
        "stream_unavailable");
    kafka_->restart();
    faults_->feed(kBatch);
    ASSERT_TRUE(faults_->catch_up(*daemon));
    row.injected();
  }
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  faults_->heed(*daemon);
  faults_->finish();
}

TEST_F(RealBroker, BrokerAndDaemonKilledTogether) {
  Row row(
      "a real broker and the daemon are killed with -9 at once",
      "it goes on at its position: nothing is skipped or doubled");
  const std::uint64_t times = repeats(5, 1);
  for (std::uint64_t i = 0; i < times && !HasFailure(); ++i) {
    const auto daemon = faults_->recover();
    faults_->feed(3 * kBatch);
    kafka_->kill();
    daemon->kill();
    faults_->heed(*daemon);
    kafka_->restart();
    row.injected(2);
  }
  faults_->finish();
}

TEST_F(RealBroker, TopicDeletedAndMadeAnew) {
  Row row(
      "the topic is deleted and made anew",
      "refused by name; the position is not moved");
  ASSERT_NO_FATAL_FAILURE(make_a_run());
  const auto before = e2e::list_snapshots(faults_->site().data_dir());
  faults_->stop_writing();
  kafka_->delete_topic("images");
  kafka_->create_topic("images", kPartitions);
  faults_->feed(2 * kBatch);
  const auto daemon = faults_->start();
  const auto ended = daemon->wait(e2e::kPatience);
  ASSERT_TRUE(ended) << daemon->err();
  EXPECT_NE(*ended, 0);
  EXPECT_NE(daemon->err().find("error "), std::string::npos) << daemon->err();
  row.injected();
  EXPECT_EQ(e2e::list_snapshots(faults_->site().data_dir()), before);
}

TEST_F(RealBroker, PartitionsAreAdded) {
  Row row(
      "partitions are added to the topic",
      "told at once; the next start reads them from their first record");
  const auto daemon = faults_->recover();
  ASSERT_TRUE(faults_->catch_up(*daemon));
  faults_->stop_writing();
  kafka_->add_partitions("images", kPartitions + 2);
  row.injected();
  faults_->expect_reason(
      *daemon,
      R"(swavd_stream_errors_total{reason="partitions_added"})",
      "partitions_added");
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  faults_->heed(*daemon);
  faults_->feed(20 * kBatch);  // keys, so all partitions get some
  faults_->finish();
  const auto& positions = faults_->newest().at("positions");
  ASSERT_EQ(positions.size(), static_cast<std::size_t>(kPartitions + 2));
  for (const auto& position : positions) {
    EXPECT_EQ(position.at("start"), 0) << position;
    EXPECT_GT(position.at("next"), 0) << position;
  }
}

TEST_F(RealBroker, RetentionOvertakesTheRun) {
  Row row(
      "offsets are gone before they were read",
      "`stop`: refused with the size of the gap; `jump`: the gap is in the "
      "position and counted");
  ASSERT_NO_FATAL_FAILURE(make_a_run());
  faults_->feed(4 * kBatch);
  // All that the run has not read of the first partition but the last.
  const e2e::Topic topic = e2e::read_topic(faults_->site().stream_url());
  const auto end = topic.at(0).rbegin()->first + 1;
  kafka_->delete_records("images", 0, end - 1);
  const std::string log = refused(1);
  EXPECT_NE(log.find("on_gap"), std::string::npos) << log;
  const auto daemon = faults_->start({"--set", "stream.on_gap=\"jump\""});
  ASSERT_TRUE(faults_->site().wait_for_state(*daemon, "training"));
  faults_->feed(2 * kBatch);
  // Counted once a batch with the partition's next record is trained, which
  // need not be the first one.
  ASSERT_TRUE(e2e::wait_until(e2e::kPatience, [&] {
    const auto page = e2e::http_get(faults_->site().port(), "/metrics");
    return page &&
           page->body.find(
               R"(swavd_stream_gap_records_total{reason="retention"})") !=
               std::string::npos;
  })) << daemon->err();
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  const auto newest = e2e::newest_snapshot(faults_->site().data_dir());
  EXPECT_NE(newest.at("positions").dump().find("retention"), std::string::npos)
      << newest.at("positions");
  row.injected(2);
}

TEST(Flood, OfPoison) {
  Row row(
      "a flood of records that are no images, nine of ten",
      "each is a dead letter with its reason; the good ones are trained on");
  FaultSite faults;
  const std::uint64_t bad = repeats(3000, 300);
  for (std::uint64_t i = 0; i < bad; i += 9) {
    faults.feed(1);
    for (std::uint64_t j = 0; j < 9; ++j) {
      faults.feed_bad();
    }
  }
  row.injected(bad);
  const auto daemon = faults.recover();
  ASSERT_TRUE(faults.catch_up(*daemon));
  faults.expect_reason(
      *daemon,
      R"(swavd_messages_rejected_total{reason="unknown_format"})",
      "unknown_format");
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  faults.heed(*daemon);
  faults.finish();
}

}  // namespace
}  // namespace swavd::faults
