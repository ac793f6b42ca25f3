// What the shuffle window does to a stream that comes sorted, and what it
// costs: reading alone, nothing is decoded. 131,072 records of 2 kB in 8
// partitions, batches of 256.
//
//   hosts    sites of 200 pictures one after another, each whole in a partition
//            (a crawl with keys by host, which swavd's crawler does not make)
//   spread   the same with keys by content: a site lies in all partitions
//   classes  ten classes, one after another, over all partitions
//
// The argument is `loader.shuffle_records`. Of the batches' mean: `kinds`,
// different sites or classes in a batch; `commonest`, the share of the most
// frequent one. `held_records` and `held_mb`: the most that was held.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "dedup_free_loader/reading/record_reader.h"
#include "ops/base/check.h"
#include "ops/base/philox.h"
#include "tests/ingest/memory_stream.h"

namespace {

using swavd::ingest::PollState;
using swavd::ingest::testing::MemoryStream;

constexpr std::int64_t kRecords = 1 << 17;
constexpr std::int32_t kPartitions = 8;
constexpr std::int64_t kBatch = 256;
constexpr std::size_t kBytes = 2000;
constexpr std::int64_t kOfOneHost = 200;

enum class Sorting { kHosts, kSpread, kClasses };

std::int64_t kind_of(Sorting sorting, std::int64_t number) {
  constexpr std::int64_t kClasses = 10;
  return sorting == Sorting::kClasses ? number * kClasses / kRecords
                                      : number / kOfOneHost;
}

std::int32_t partition_of(Sorting sorting, std::int64_t number) {
  const std::int64_t key =
      sorting == Sorting::kHosts ? number / kOfOneHost : number;
  return static_cast<std::int32_t>(
      swavd::Random(1, static_cast<std::uint64_t>(key)).below(kPartitions));
}

/// A record's key says of which kind it is.
std::shared_ptr<MemoryStream> sorted_stream(Sorting sorting) {
  auto stream = MemoryStream::make("images", kPartitions);
  for (std::int64_t i = 0; i < kRecords; ++i) {
    stream->append(
        partition_of(sorting, i),
        swavd::ByteVector(kBytes),
        {},
        std::to_string(kind_of(sorting, i)));
  }
  return stream;
}

/// What the batches are made of.
class Mixture {
 public:
  void add(const std::string& kind) {
    ++counts_[kind];
    if (++images_ % kBatch == 0) {
      const auto most = std::ranges::max_element(
          counts_, {}, [](const auto& entry) { return entry.second; });
      kinds_ += static_cast<double>(counts_.size());
      commonest_ += static_cast<double>(most->second) / kBatch;
      counts_.clear();
    }
  }

  [[nodiscard]] double kinds() const { return kinds_ / batches(); }

  [[nodiscard]] double commonest() const { return commonest_ / batches(); }

 private:
  [[nodiscard]] double batches() const {
    return static_cast<double>(images_ / kBatch);
  }

  std::unordered_map<std::string, std::int64_t> counts_;
  std::int64_t images_ = 0;
  double kinds_ = 0;
  double commonest_ = 0;
};

std::unique_ptr<swavd::ingest::Source> assigned(MemoryStream& stream) {
  auto source = stream.source();
  std::vector<swavd::ingest::Position> positions(kPartitions);
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    positions[static_cast<std::size_t>(p)].topic = source->topic();
    positions[static_cast<std::size_t>(p)].partition = p;
  }
  SWAVD_CHECK(source->assign(positions).ok());
  return source;
}

void read_mixed(benchmark::State& state, Sorting sorting) {
  const auto stream = sorted_stream(sorting);
  swavd::loader::LoaderOptions options;
  options.shuffle_records = state.range(0);
  options.shuffle_bytes = std::uint64_t{1} << 30U;
  options.shuffle_wait = std::chrono::hours(1);
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    options.partitions.push_back(p);
  }
  const swavd::SystemClock clock;
  Mixture mixture;
  std::size_t held = 0;
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    const auto source = assigned(*stream);
    swavd::loader::RecordReader reader(*source, options, clock);
    // Whole blocks only: a stream of real length has no end.
    for (std::int64_t read = 0; read < kRecords / 2;) {
      auto next = reader.next(std::chrono::milliseconds(0));
      SWAVD_CHECK(next.ok());
      held = std::max(held, reader.held_records());
      bytes = std::max(bytes, reader.held_bytes());
      if (next.value().state == PollState::kRecord) {
        ++read;
        mixture.add(next.value().drawn.record.key);
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * kRecords / 2);
  constexpr double kMega = 1e6;
  state.counters["kinds"] = mixture.kinds();
  state.counters["commonest"] = mixture.commonest();
  state.counters["held_records"] = static_cast<double>(held);
  state.counters["held_mb"] = static_cast<double>(bytes) / kMega;
}

}  // namespace

#define SWAVD_WINDOWS Arg(1)->Arg(256)->Arg(1024)->Arg(4096)

BENCHMARK_CAPTURE(read_mixed, hosts, Sorting::kHosts)->SWAVD_WINDOWS;
BENCHMARK_CAPTURE(read_mixed, spread, Sorting::kSpread)->SWAVD_WINDOWS;
BENCHMARK_CAPTURE(read_mixed, classes, Sorting::kClasses)->SWAVD_WINDOWS;

BENCHMARK_MAIN();
