#include "ops/daemon/headspace.h"

#include <functional>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "metrics/registry.h"
#include "ops/daemon/daemon.h"
#include "ops/daemon/options.h"
#include "ops/daemon/restore.h"
#include "ops/daemon/stream_setup.h"

namespace swavd::daemon {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A stream that brings nothing for so long has ended for us.
constexpr milliseconds kIdle{2000};
// The first batch waits for brokers, and for the caches to fill.
constexpr milliseconds kFirst{10000};
// Steps that do not count: the first ones choose algorithms and make room.
constexpr int kWarmSteps = 2;

double as_seconds(std::chrono::duration<double> time) {
  return time.count();
}

double seconds_since(steady_clock::time_point begin) {
  return as_seconds(steady_clock::now() - begin);
}

/// The stream of a configuration and a loader on it, from the first record.
class Feed {
 public:
  static Result<std::unique_ptr<Feed>> open(
      const service::Config& config,
      const loader::BufferAllocator& allocator) {
    std::unique_ptr<Feed> feed(new Feed);
    auto stream = open_branch_stream(config, feed->registry_);
    if (!stream.ok()) {
      return stream.error();
    }
    feed->stream_ = std::move(stream).value();
    RunState run;
    SWAVD_RETURN_IF_ERROR(assign_stream(config, feed->stream_, run));
    feed->loader_ = start_run_loader(config, feed->stream_, run, allocator);
    return feed;
  }

  /// nullptr: nothing came for so long.
  Result<std::unique_ptr<loader::Batch>> next(milliseconds patience) {
    while (true) {
      auto next = loader_->next(patience);
      if (!next.ok()) {
        return next.error();
      }
      if (next.value().state != loader::NextState::kRejected) {
        return std::move(next.value().batch);
      }
    }
  }

 private:
  Feed() = default;

  metrics::Registry registry_;
  RunStream stream_;
  std::unique_ptr<loader::Loader> loader_;
};

using BatchWork = std::function<Status(std::unique_ptr<loader::Batch>)>;

/// Images/s of the batches of `feed`, each given to `work`, from the second on.
Result<double>
rate_of(Feed& feed, milliseconds duration, const BatchWork& work) {
  std::uint64_t images = 0;
  double seconds = 0;
  steady_clock::time_point begin;
  for (int batches = 0; batches < 2 || seconds < as_seconds(duration);
       ++batches) {
    auto batch = feed.next(batches == 0 ? kFirst : kIdle);
    if (!batch.ok()) {
      return batch.error();
    }
    if (batch.value() == nullptr) {
      break;
    }
    const auto count = static_cast<std::uint64_t>(batch.value()->images);
    SWAVD_RETURN_IF_ERROR(work(std::move(batch).value()));
    if (batches == 0) {
      begin = steady_clock::now();
      continue;
    }
    images += count;
    seconds = seconds_since(begin);
  }
  if (images == 0) {
    return Error{
        ErrorCode::kUnavailable,
        "the stream holds too few images to measure with: put some batches of "
        "them in, for example with swavd-crawl push"};
  }
  return static_cast<double>(images) / seconds;
}

Result<double> step_rate_of(
    trainer::Trainer& trainer,
    const loader::Batch& batch,
    double learning_rate,
    milliseconds duration) {
  std::uint64_t images = 0;
  auto begin = steady_clock::now();
  for (int step = 0;
       step <= kWarmSteps || seconds_since(begin) < as_seconds(duration);
       ++step) {
    if (step == kWarmSteps) {
      begin = steady_clock::now();
    }
    const auto report = trainer.step(batch, learning_rate);
    if (!report.ok()) {
      return report.error().with_context("training step");
    }
    images += step < kWarmSteps ? 0 : static_cast<std::uint64_t>(batch.images);
  }
  return static_cast<double>(images) / seconds_since(begin);
}

}  // namespace

std::string_view limit_of(const HeadspaceReport& report) {
  constexpr double kEnough = 1.1;
  constexpr double kReached = 0.95;
  if (report.loader_rate < kEnough * report.step_rate) {
    return "loader";
  }
  return report.together_rate >= kReached * report.step_rate ? "step" : "cores";
}

Result<HeadspaceReport> measure_headspace(
    const service::Config& config,
    milliseconds each) {
  service::Config from_start = config;
  from_start.stream.start = "earliest";
  const auto placed = place_trainer(config);
  if (!placed.ok()) {
    return placed.error();
  }
  trainer::Trainer& trainer = *placed.value().trainer;
  HeadspaceReport report;
  report.device = placed.value().device.name;
  report.workers = loader_options(config).workers;

  std::unique_ptr<loader::Batch> kept;
  double loading = 0;
  std::uint64_t loaded = 0;
  {
    auto feed = Feed::open(from_start, trainer.allocator());
    if (!feed.ok()) {
      return feed.error();
    }
    auto rate = rate_of(*feed.value(), each, [&](auto batch) {
      loading += batch->decode_seconds + batch->render_seconds;
      loaded += static_cast<std::uint64_t>(batch->images);
      kept = std::move(batch);
      return ok_status();
    });
    if (!rate.ok()) {
      return rate.error().with_context("the loader alone");
    }
    report.loader_rate = rate.value();
    report.loader_seconds = loading / static_cast<double>(loaded);
  }

  // The rate does not matter but for staying finite.
  const double learning_rate = config.schedule.learning_rate / 100;
  auto step_rate = step_rate_of(trainer, *kept, learning_rate, each);
  if (!step_rate.ok()) {
    return step_rate.error();
  }
  report.step_rate = step_rate.value();

  auto feed = Feed::open(from_start, trainer.allocator());
  if (!feed.ok()) {
    return feed.error();
  }
  auto together = rate_of(*feed.value(), each, [&](auto batch) -> Status {
    auto step = trainer.step(*batch, learning_rate);
    return step.ok() ? ok_status() : Status(step.error());
  });
  if (!together.ok()) {
    return together.error().with_context("loader and steps together");
  }
  report.together_rate = together.value();
  return report;
}

}  // namespace swavd::daemon
