#include "dedup_free_loader/loader.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>

#include "dedup_free_loader/assembly/assembly.h"
#include "dedup_free_loader/isolation/decode_helper.h"
#include "dedup_free_loader/reading/byte_gate.h"
#include "dedup_free_loader/reading/record_reader.h"
#include "ops/base/clock.h"
#include "ops/base/log.h"
#include "ops/base/stage.h"

namespace swavd::loader {

namespace {

using std::chrono::milliseconds;

void lower_priority(std::int32_t niceness) {
  // On Linux a thread has a niceness of its own; who == 0 is the caller.
  if (niceness > 0 && ::setpriority(PRIO_PROCESS, 0, niceness) != 0) {
    log(LogLevel::kWarning,
        "loader_niceness",
        fmt::format(
            "cannot lower the workers' priority: {}", std::strerror(errno)));
  }
}

/// Keeps the calling thread, and what it starts, on one core. They take turns,
/// and what one has written is in that core's caches for the other.
Status stay_on(std::int32_t core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "a decoding thread cannot be kept on core {}: {}; loader.cores "
            "may only name cores that this machine has and swavd is given",
            core,
            std::strerror(errno))};
  }
  return ok_status();
}

class ThreadedLoader final : public Loader {
 public:
  ThreadedLoader(
      ingest::Source& source,
      const LoaderOptions& options,
      const BufferAllocator& allocator)
      : options_(options),
        reader_(source, options_, clock_),
        records_(static_cast<std::size_t>(options.inflight_records)),
        inflight_(options.inflight_bytes),
        assembly_(options, allocator),
        workers_left_(options.workers) {
    threads_.emplace_back(
        "loader-read", [this](const std::stop_token& stop) { read(stop); });
    for (std::int32_t i = 0; i < options.workers; ++i) {
      threads_.emplace_back(
          fmt::format("loader-{}", i),
          [this, i](const std::stop_token&) { work(i); });
    }
  }

  ~ThreadedLoader() override {
    close();
    threads_.clear();
  }

  Result<Next> next(milliseconds timeout) override {
    return assembly_.next(timeout);
  }

  LoaderStats stats() const override {
    LoaderStats stats;
    stats.records = records_.stats();
    stats.batches = assembly_.stats();
    stats.held_records = held_records_.load(std::memory_order_relaxed);
    stats.held_bytes = held_bytes_.load(std::memory_order_relaxed);
    stats.inflight_bytes = inflight_.inside();
    stats.records_taken = records_taken_.load(std::memory_order_relaxed);
    stats.bytes_taken = bytes_taken_.load(std::memory_order_relaxed);
    stats.images_decoded = decoded_.load(std::memory_order_relaxed);
    stats.images_rejected = rejected_.load(std::memory_order_relaxed);
    return stats;
  }

  void close() override {
    for (Stage& thread : threads_) {
      thread.request_stop();
    }
    assembly_.cancel();
    end_records();
  }

 private:
  /// The polling thread: hands records over in order until the source ends.
  void read(const std::stop_token& stop) {
    // Bounds how late a stop is seen when the source itself is not closed.
    constexpr milliseconds kPoll{100};
    while (!stop.stop_requested()) {
      auto read = reader_.next(kPoll);
      held_records_.store(reader_.held_records(), std::memory_order_relaxed);
      held_bytes_.store(reader_.held_bytes(), std::memory_order_relaxed);
      if (!read.ok()) {
        assembly_.fail(read.error());
        break;
      }
      if (read.value().state == ingest::PollState::kEnd) {
        break;
      }
      if (read.value().state == ingest::PollState::kRecord &&
          !hand_over(std::move(read).value())) {
        break;
      }
    }
    end_records();
  }

  /// No more are handed to the workers.
  void end_records() {
    records_.close();
    inflight_.close();
  }

  bool hand_over(Read read) {
    ingest::Record& record = read.drawn.record;
    records_taken_.fetch_add(1, std::memory_order_relaxed);
    bytes_taken_.fetch_add(record.payload.size(), std::memory_order_relaxed);
    Taken taken;
    taken.ticket = next_ticket_++;
    taken.turn_after = read.turn_after;
    taken.record = std::move(record);
    taken.gaps = std::move(read.drawn.gaps);
    taken.absent = read.drawn.absent;
    return inflight_.enter(taken.record.payload.size()) &&
           records_.push(std::move(taken));
  }

  /// A worker: decodes one record after the other, waits for its turn to take
  /// a slot, renders into the slot.
  void work(std::size_t number) {
    lower_priority(options_.niceness);
    if (!options_.cores.empty()) {
      const Status kept =
          stay_on(options_.cores[number % options_.cores.size()]);
      if (!kept.ok()) {
        assembly_.abort(kept.error());
        end_records();
      }
    }
    std::optional<DecodeHelper> helper;
    if (!options_.decode_helper.empty()) {
      helper.emplace(HelperOptions{
          options_.decode_helper, options_.decode, options_.image_timeout});
    }
    while (auto taken = records_.pop()) {
      const std::size_t bytes = taken->record.payload.size();
      const bool going_on =
          process(std::move(*taken), helper ? &*helper : nullptr);
      inflight_.leave(bytes);
      if (!going_on) {
        break;
      }
    }
    if (workers_left_.fetch_sub(1) == 1) {
      assembly_.finish();
    }
  }

  bool process(Taken taken, DecodeHelper* helper) {
    const double start = thread_cpu_seconds();
    taken.payload_sha256 = sha256(taken.record.payload);
    std::vector<CropPlan> plans;
    const auto choose = [&](std::int32_t width, std::int32_t height) {
      plans = draw_crop_plans(
          options_.seed,
          taken.record.address,
          width,
          height,
          options_.crops,
          options_.augment);
      return wanted_by(plans, options_.decode_fidelity);
    };
    Image own;  // what the view shows without a helper
    auto tried = decode(
        helper,
        taken.record.payload,
        options_.center ? ChooseRegion() : choose,
        own);
    if (!tried.ok()) {
      assembly_.abort(tried.error());
      end_records();
      return false;
    }
    auto& decoded = tried.value();
    const double decode_seconds =
        thread_cpu_seconds() - start +
        (helper != nullptr ? helper->cpu_seconds() : 0);
    if (auto* rejection = std::get_if<Rejection>(&decoded)) {
      rejected_.fetch_add(1, std::memory_order_relaxed);
      return assembly_.reject(
          std::move(taken), std::move(*rejection), decode_seconds);
    }
    decoded_.fetch_add(1, std::memory_order_relaxed);
    const ImageView& image = std::get<ImageView>(decoded);
    const auto place =
        assembly_.take_slot(std::move(taken), image.filled, decode_seconds);
    if (!place) {
      return false;
    }
    const double rendering = thread_cpu_seconds();
    render(image, plans, *place);
    assembly_.rendered(*place, thread_cpu_seconds() - rendering);
    return true;
  }

  [[nodiscard]] Result<std::variant<ImageView, Rejection>> decode(
      DecodeHelper* helper,
      Bytes file,
      const ChooseRegion& choose,
      Image& own) const {
    if (helper != nullptr) {
      return helper->decode(file, choose);
    }
    auto decoded = decode_image(file, options_.decode, choose);
    if (auto* rejection = std::get_if<Rejection>(&decoded)) {
      return std::variant<ImageView, Rejection>(std::move(*rejection));
    }
    own = std::get<Image>(std::move(decoded));
    return std::variant<ImageView, Rejection>(ImageView(own));
  }

  void render(
      const ImageView& image,
      const std::vector<CropPlan>& plans,
      const Place& place) const {
    if (options_.center) {
      render_center(
          image,
          options_.center_resize > 0 ? options_.center_resize
                                     : options_.crops[0].size,
          options_.crops[0].size,
          options_.augment,
          place.crops[0]);
      return;
    }
    for (std::size_t i = 0; i < plans.size(); ++i) {
      renderer_.render(image, plans[i], options_.augment, place.crops[i]);
    }
  }

  const LoaderOptions options_;
  SystemClock clock_;
  RecordReader reader_;  // the polling thread's
  CpuRenderer renderer_;
  BoundedQueue<Taken> records_;
  ByteGate inflight_;
  Assembly assembly_;
  std::uint64_t next_ticket_ = 0;  // the polling thread's

  std::atomic<std::int32_t> workers_left_;
  std::atomic<std::uint64_t> held_records_ = 0;
  std::atomic<std::uint64_t> held_bytes_ = 0;
  std::atomic<std::uint64_t> records_taken_ = 0;
  std::atomic<std::uint64_t> bytes_taken_ = 0;
  std::atomic<std::uint64_t> decoded_ = 0;
  std::atomic<std::uint64_t> rejected_ = 0;
  std::vector<Stage> threads_;  // last: gone before what they use
};

}  // namespace

std::string helper_beside_us() {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return (self.parent_path() / "swavd-decode").string();
}

std::unique_ptr<Loader> start_loader(
    ingest::Source& source,
    const LoaderOptions& options,
    const BufferAllocator& allocator) {
  SWAVD_CHECK(options.workers >= 1 && options.batch_images >= 1);
  SWAVD_CHECK(!options.crops.empty() && options.inflight_records >= 1);
  SWAVD_CHECK(options.order == Order::kArrival || !options.partitions.empty());
  return std::make_unique<ThreadedLoader>(source, options, allocator);
}

}  // namespace swavd::loader
