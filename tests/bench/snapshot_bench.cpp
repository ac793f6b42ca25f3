// What a snapshot costs: a commit to the local tier, beside a bare file of
// the same bytes with fsync, in one run so that both meet the same disk.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include "ops/base/check.h"
#include "state/snapshot_store.h"
#include "tests/state/sample.h"

namespace swavd::state {
namespace {

/// RegNetY-16GF with the SEER head and momenta, and a quarter of it.
constexpr std::int64_t kSmall = 230'000'000;
constexpr std::int64_t kLarge = 920'000'000;

/// A state of this many bytes in all: half weights, half momenta.
FrozenState state_of(std::int64_t bytes) {
  return sample_state(10, 1, static_cast<std::size_t>(bytes) / 2);
}

void BM_CommitToTheLocalStore(benchmark::State& run) {
  const TemporaryFolder folder;
  auto store = open_local_store({folder.path().string()});
  SWAVD_CHECK(store.ok());
  FrozenState state = state_of(run.range(0));
  std::uint64_t commit = 0;
  for (auto _ : run) {
    ++commit;
    state.step = commit * 10;
    const auto id = store.value()->commit(sample_manifest(commit), state);
    SWAVD_CHECK(id.ok());
    run.PauseTiming();
    SWAVD_CHECK(store.value()->drop(id.value()).ok());
    run.ResumeTiming();
  }
  run.SetBytesProcessed(run.iterations() * run.range(0));
}

void BM_BareFileWithFsync(benchmark::State& run) {
  const TemporaryFolder folder;
  const FrozenState state = state_of(run.range(0));
  const std::string path = folder / "file";
  for (auto _ : run) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    SWAVD_CHECK(file >= 0);
    for (const TensorFile& one : state.tensor_files) {
      for (const TensorView& tensor : one.tensors) {
        Bytes rest = tensor.data;
        while (!rest.empty()) {
          const ssize_t done = ::write(file, rest.data(), rest.size());
          SWAVD_CHECK(done > 0);
          rest = rest.subspan(static_cast<std::size_t>(done));
        }
      }
    }
    SWAVD_CHECK(::fsync(file) == 0);
    ::close(file);
    run.PauseTiming();
    std::filesystem::remove(path);
    run.ResumeTiming();
  }
  run.SetBytesProcessed(run.iterations() * run.range(0));
}

void BM_DropFromTheLocalStore(benchmark::State& run) {
  const TemporaryFolder folder;
  auto store = open_local_store({folder.path().string()});
  SWAVD_CHECK(store.ok());
  FrozenState state = state_of(run.range(0));
  std::uint64_t commit = 0;
  for (auto _ : run) {
    run.PauseTiming();
    ++commit;
    state.step = commit * 10;
    const auto id = store.value()->commit(sample_manifest(commit), state);
    SWAVD_CHECK(id.ok());
    run.ResumeTiming();
    SWAVD_CHECK(store.value()->drop(id.value()).ok());
  }
}

void BM_ReadAndVerify(benchmark::State& run) {
  const TemporaryFolder folder;
  auto store = open_local_store({folder.path().string()});
  SWAVD_CHECK(store.ok());
  const auto id =
      store.value()->commit(sample_manifest(1), state_of(run.range(0)));
  SWAVD_CHECK(id.ok());
  for (auto _ : run) {
    auto reader = store.value()->open(id.value());
    SWAVD_CHECK(reader.ok());
    SWAVD_CHECK(verify(*reader.value()).ok());
  }
  run.SetBytesProcessed(run.iterations() * run.range(0));
}

BENCHMARK(BM_BareFileWithFsync)
    ->Arg(kSmall)
    ->Arg(kLarge)
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_CommitToTheLocalStore)
    ->Arg(kSmall)
    ->Arg(kLarge)
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_DropFromTheLocalStore)
    ->Arg(kLarge)
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ReadAndVerify)
    ->Arg(kLarge)
    ->Iterations(3)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace swavd::state

BENCHMARK_MAIN();
