// The embedded stream on this machine: records of 110 kB, the size of a web
// image, through the public interface. Bytes per second are payload bytes.

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <stdlib.h>

#include "ingest/log/crc32c.h"
#include "ingest/log/log_stream.h"
#include "ops/base/check.h"
#include "ops/base/stage.h"

namespace swavd::ingest {
namespace {

constexpr std::size_t kPayload = 110000;
constexpr std::chrono::minutes kPatience{5};

/// A stream in a folder of its own, which goes with the object.
class BenchStream {
 public:
  BenchStream() {
    std::string name =
        std::filesystem::temp_directory_path() / "swavd-log-bench-XXXXXX";
    SWAVD_CHECK(::mkdtemp(name.data()) != nullptr);
    url_.folder = name;
    url_.topic = "images";
    auto sink = open_log_sink(url_, {});
    SWAVD_CHECK(sink.ok());
    sink_ = std::move(sink).value();
    payload_.assign(kPayload, 0);
    for (std::size_t i = 0; i < kPayload; ++i) {
      payload_[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13U);
    }
  }

  ~BenchStream() {
    sink_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(url_.folder, ignored);
  }

  void publish(int count) {
    for (int i = 0; i < count; ++i) {
      OutRecord record;
      record.key = std::to_string(published_++);
      record.payload = payload_;
      SWAVD_CHECK(sink_->publish(std::move(record)).ok());
    }
    SWAVD_CHECK(sink_->flush(kPatience).ok());
  }

  [[nodiscard]] std::unique_ptr<Source> source() {
    auto source = open_log_source(url_, {});
    SWAVD_CHECK(source.ok());
    std::vector<Position> positions;
    const auto all = source.value()->bounds().value();
    for (const PartitionBounds& bounds : all) {
      Position position;
      position.topic = url_.topic;
      position.partition = bounds.partition;
      position.next = bounds.begin;
      positions.push_back(position);
    }
    SWAVD_CHECK(source.value()->assign(positions).ok());
    return std::move(source).value();
  }

 private:
  StreamUrl url_;
  std::unique_ptr<Sink> sink_;
  ByteVector payload_;
  int published_ = 0;
};

void read_records(Source& source, int count) {
  for (int i = 0; i < count;) {
    const auto polled = source.poll(kPatience);
    SWAVD_CHECK(polled.ok());
    i += polled.value().state == PollState::kRecord ? 1 : 0;
  }
}

void count_bytes(benchmark::State& state, std::int64_t records) {
  state.SetBytesProcessed(
      state.iterations() * records * static_cast<std::int64_t>(kPayload));
}

void bench_log_write(benchmark::State& state) {
  BenchStream stream;
  const int count = 2000;
  for (auto _ : state) {
    stream.publish(count);
  }
  count_bytes(state, count);
}

void bench_log_read(benchmark::State& state) {
  BenchStream stream;
  const int count = 4000;
  stream.publish(count);
  for (auto _ : state) {
    const auto source = stream.source();
    read_records(*source, count);
  }
  count_bytes(state, count);
}

void bench_log_read_while_written(benchmark::State& state) {
  BenchStream stream;
  const int count = 2000;
  const auto source = stream.source();
  for (auto _ : state) {
    const Stage writer(
        "writer", [&](const std::stop_token&) { stream.publish(count); });
    read_records(*source, count);
  }
  count_bytes(state, count);
}

/// One record at a time, from publish until the reader has it.
void bench_log_latency(benchmark::State& state) {
  BenchStream stream;
  const auto source = stream.source();
  for (auto _ : state) {
    stream.publish(1);
    read_records(*source, 1);
  }
}

void bench_log_crc32c(benchmark::State& state) {
  const ByteVector payload(kPayload, 7);
  for (auto _ : state) {
    benchmark::DoNotOptimize(crc32c(payload));
  }
  count_bytes(state, 1);
}

BENCHMARK(bench_log_write)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(bench_log_read)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(bench_log_read_while_written)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(bench_log_latency)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(bench_log_crc32c)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace swavd::ingest

BENCHMARK_MAIN();
