#include <filesystem>
#include <memory>
#include <utility>

#include "tests/ingest/log/log_test_kit.h"
#include "tests/ingest/stream_contract.h"

namespace swavd::ingest::testing {
namespace {

/// The one writer of a stream, shared by those who ask for a sink.
class SharedSink final : public Sink {
 public:
  explicit SharedSink(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}

  Status publish(OutRecord record) override {
    return sink_->publish(std::move(record));
  }

  Status flush(std::chrono::milliseconds timeout) override {
    return sink_->flush(timeout);
  }

  void close() override { sink_->close(); }

 private:
  std::shared_ptr<Sink> sink_;
};

class LogUnderTest final : public StreamUnderTest {
 public:
  LogUnderTest() { (void)sink(); }  // makes the stream

  std::unique_ptr<Source> source(const SourceOptions& options) override {
    return must_open_source(folder_.url(), options);
  }

  std::unique_ptr<Sink> sink() override {
    std::shared_ptr<Sink> shared = sink_.lock();
    if (!shared) {
      shared = must_open_sink(folder_.url(), partitions(4));
      sink_ = shared;
    }
    return std::make_unique<SharedSink>(shared);
  }

  bool make_anew() override {
    EXPECT_TRUE(sink_.expired());
    std::filesystem::remove_all(folder_.path() / "images");
    (void)sink();
    return true;
  }

 private:
  ScratchFolder folder_;
  std::weak_ptr<Sink> sink_;  // several sinks would be several writers
};

}  // namespace

INSTANTIATE_TEST_SUITE_P(
    Log,
    StreamContract,
    ::testing::Values(StreamMaker{
        "log",
        [](std::string&) { return std::make_unique<LogUnderTest>(); }}),
    maker_name);

}  // namespace swavd::ingest::testing
