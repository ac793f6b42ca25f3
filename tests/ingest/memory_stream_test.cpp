#include "tests/ingest/memory_stream.h"

#include "tests/ingest/stream_contract.h"

namespace swavd::ingest::testing {

namespace {

class MemoryUnderTest final : public StreamUnderTest {
 public:
  std::unique_ptr<Source> source(const SourceOptions& options) override {
    return stream_->source(options);
  }

  std::unique_ptr<Sink> sink() override { return stream_->sink(); }

  bool drop_below(std::int32_t partition, std::int64_t offset) override {
    stream_->drop_below(partition, offset);
    return true;
  }

  bool make_anew() override {
    stream_->make_anew();
    return true;
  }

 private:
  std::shared_ptr<MemoryStream> stream_ = MemoryStream::make("images", 4);
};

std::vector<Position> start_of(Source& source) {
  std::vector<Position> positions;
  const auto all_bounds = source.bounds().value();
  for (const PartitionBounds& each : all_bounds) {
    Position position;
    position.topic = source.topic();
    position.partition = each.partition;
    position.start = position.next = each.begin;
    positions.push_back(position);
  }
  return positions;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(
    Memory,
    StreamContract,
    ::testing::Values(StreamMaker{
        "memory",
        [](std::string&) { return std::make_unique<MemoryUnderTest>(); }}),
    maker_name);

TEST(MemoryStream, FullPartitionsTakeStrictTurns) {
  const auto stream = MemoryStream::make("images", 3);
  for (int i = 0; i < 3; ++i) {
    for (std::int32_t p = 0; p < 3; ++p) {
      stream->append(p, "x");
    }
  }
  auto source = stream->source();
  ASSERT_TRUE(source->assign(start_of(*source)).ok());
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(source->poll(kBrief).value().record.address.partition, i % 3);
  }
}

TEST(MemoryStream, AnOutageIsToldOnceAndThenIdle) {
  const auto stream = MemoryStream::make("images", 1);
  stream->append(0, "x");
  int told = 0;
  SourceOptions options;
  options.events.on_error = [&told](auto, auto) { ++told; };
  auto source = stream->source(options);
  ASSERT_TRUE(source->assign(start_of(*source)).ok());
  stream->set_unavailable(true);
  EXPECT_EQ(source->poll(kBrief).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(source->poll(kBrief).value().state, PollState::kIdle);
  EXPECT_EQ(told, 1);
  stream->set_unavailable(false);
  EXPECT_EQ(source->poll(kBrief).value().state, PollState::kRecord);
  stream->set_unavailable(true);
  EXPECT_EQ(source->poll(kBrief).error().code, ErrorCode::kUnavailable);
}

TEST(MemoryStream, HolesAreStepOverInOrder) {
  const auto stream = MemoryStream::make("images", 1);
  stream->append(0, "a");
  stream->make_hole(0, 5);
  stream->append(0, "b");
  auto source = stream->source();
  ASSERT_TRUE(source->assign(start_of(*source)).ok());
  EXPECT_EQ(source->poll(kBrief).value().record.address.offset, 0);
  EXPECT_EQ(source->poll(kBrief).value().record.address.offset, 6);
}

TEST(MemoryStream, RetentionWhileReadingIsAGap) {
  const auto stream = MemoryStream::make("images", 1);
  for (int i = 0; i < 10; ++i) {
    stream->append(0, "x");
  }
  auto source = stream->source();
  ASSERT_TRUE(source->assign(start_of(*source)).ok());
  ASSERT_TRUE(source->poll(kBrief).ok());
  stream->drop_below(0, 6);
  const auto gone = source->poll(kBrief);
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
}

TEST(MemoryStream, CloseWakesAPublisherBlockedOnAFullStream) {
  const auto stream = MemoryStream::make("images", 1);
  stream->set_capacity(1);
  auto sink = stream->sink();
  ASSERT_TRUE(sink->publish({}).ok());
  Status outcome = ok_status();
  Stage publisher(
      "publisher", [&](std::stop_token) { outcome = sink->publish({}); });
  stream->wait_for_blocked_publishers(1);
  sink->close();
  publisher.join();
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().code, ErrorCode::kCancelled);
}

}  // namespace swavd::ingest::testing
