// The contract of streams on a real Apache Kafka broker.
#include <atomic>

#include "tests/ingest/kafka_streams.h"
#include "tests/ingest/real_kafka.h"
#include "tests/ingest/stream_contract.h"

namespace swavd::ingest::testing {

namespace {

class RealUnderTest final : public StreamUnderTest {
 public:
  explicit RealUnderTest(RealKafka& kafka) : kafka_(kafka) {
    static std::atomic<int> number = 0;
    topic_ = "contract" + std::to_string(number++);
    kafka_.create_topic(topic_, 4);
  }

  std::unique_ptr<Source> source(const SourceOptions& options) override {
    return opened_source(kafka_.url(topic_), options);
  }

  std::unique_ptr<Sink> sink() override {
    return opened_sink(kafka_.url(topic_));
  }

  bool drop_below(std::int32_t partition, std::int64_t offset) override {
    kafka_.delete_records(topic_, partition, offset);
    return true;
  }

  bool make_anew() override {
    kafka_.delete_topic(topic_);
    kafka_.create_topic(topic_, 4);
    return true;
  }

 private:
  RealKafka& kafka_;
  std::string topic_;
};

std::unique_ptr<StreamUnderTest> make_real(std::string& why) {
  RealKafka* const broker = RealKafka::shared(why);
  return broker == nullptr ? nullptr : std::make_unique<RealUnderTest>(*broker);
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(
    Kafka,
    StreamContract,
    ::testing::Values(StreamMaker{"real", make_real}),
    maker_name);

}  // namespace swavd::ingest::testing
