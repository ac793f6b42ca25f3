// The contract of streams on librdkafka's brokers in memory.
#include "tests/ingest/kafka_streams.h"
#include "tests/ingest/mock_kafka.h"
#include "tests/ingest/stream_contract.h"

namespace swavd::ingest::testing {

namespace {

class MockUnderTest final : public StreamUnderTest {
 public:
  MockUnderTest() { kafka_.create_topic("images", 4); }

  std::unique_ptr<Source> source(const SourceOptions& options) override {
    return opened_source(kafka_.url("images"), options);
  }

  std::unique_ptr<Sink> sink() override {
    return opened_sink(kafka_.url("images"));
  }

 private:
  MockKafka kafka_{1};
};

}  // namespace

INSTANTIATE_TEST_SUITE_P(
    MockKafka,
    StreamContract,
    ::testing::Values(StreamMaker{
        "mock",
        [](std::string&) { return std::make_unique<MockUnderTest>(); }}),
    maker_name);

}  // namespace swavd::ingest::testing
