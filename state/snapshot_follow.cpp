#include "state/snapshot_follow.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "ops/base/mutex.h"
#include "ops/base/philox.h"
#include "state/content/checked_read.h"
#include "state/directory/file_writer.h"
#include "state/directory/snapshot_folder.h"
#include "state/follow/hook.h"
#include "state/follow/part_fetch.h"
#include "state/follow/version_folder.h"

namespace swavd::state {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostParallel = 64;
constexpr std::string_view kHookFailed = "hook_failed";

/// Sleeps that a stop ends.
class StoppableSleep {
 public:
  explicit StoppableSleep(const std::stop_token& stop)
      : stop_(stop),
        wake_(stop, Wake{this}) {}

  void sleep(milliseconds time) {
    const MutexLock lock(mutex_);
    (void)stopped_.wait_for(
        mutex_, time, [this] { return stop_.stop_requested(); });
  }

 private:
  struct Wake {
    StoppableSleep* self;

    void operator()() const {
      const MutexLock lock(self->mutex_);
      self->stopped_.notify_all();
    }
  };

  const std::stop_token& stop_;
  Mutex mutex_;
  CondVar stopped_;
  std::stop_callback<Wake> wake_;
};

Status check_options(const SnapshotRef& ref, const FollowOptions& options) {
  const auto wrong = [](const std::string& what) {
    return Error{ErrorCode::kInvalidArgument, what};
  };
  if (!ref.id.empty()) {
    return wrong(fmt::format(
        "following means the newest snapshot; leave @{} out", ref.id));
  }
  if (options.parallel < 1 || options.parallel > kMostParallel) {
    return wrong(
        fmt::format("{} downloads at once; 1 to 64", options.parallel));
  }
  if (options.keep < 1 || options.part_bytes < 1 ||
      options.every < milliseconds(1)) {
    return wrong("keep, part and interval must be at least 1");
  }
  return ok_status();
}

class Follower {
 public:
  Follower(
      const Clock& clock,
      std::string place,
      VersionFolder folder,
      const FollowOptions& options,
      const FollowEvents& events,
      const std::stop_token& stop)
      : clock_(clock),
        place_(std::move(place)),
        folder_(std::move(folder)),
        options_(options),
        events_(events),
        stop_(stop),
        jitter_(stream_key(options.jitter_seed, "follow")) {
    load_current();
  }

  FollowTotals run() {
    StoppableSleep pause(stop_);
    while (!stop_.stop_requested()) {
      const Status looked = look();
      if (looked.ok()) {
        failures_in_a_row_ = 0;
        if (events_.looked) {
          events_.looked();
        }
      } else if (looked.error().code != ErrorCode::kCancelled) {
        ++failures_in_a_row_;
        ++totals_.failures;
        events_.trouble(to_string(looked.error().code), looked.error().message);
      }
      if (!moved_on_) {
        pause.sleep(next_pause());
      }
    }
    return totals_;
  }

 private:
  /// Takes over what an earlier follower left, if it is still unharmed.
  void load_current();
  /// One look, and what follows from it.
  [[nodiscard]] Status look();
  /// Renews `wanted_`.
  [[nodiscard]] Status poll();
  [[nodiscard]] std::string choose(const LatestSnapshots& latest) const;
  [[nodiscard]] Status hold(const std::string& id);
  /// The snapshot `id` as a version; `report` gets what is known of it.
  [[nodiscard]] Result<std::filesystem::path> obtain(
      const std::string& id,
      FollowSwitch& report);
  [[nodiscard]] Status fetch(
      SnapshotReader& snapshot,
      const std::filesystem::path& folder,
      FollowSwitch& report);
  void run_exec(const FollowSwitch& report);

  /// From half to the whole of the interval, doubled for each failure: a
  /// thousand followers shall not come back at the same moment.
  milliseconds next_pause() {
    constexpr std::uint64_t kMostDoublings = 16;
    const std::uint64_t doublings =
        std::min(failures_in_a_row_, kMostDoublings);
    if (doublings == 0) {
      return options_.every;
    }
    const auto longest = std::max(options_.longest_pause, options_.every);
    const auto pause = std::min(options_.every * (1 << doublings), longest);
    return std::chrono::duration_cast<milliseconds>(
        pause * jitter_.uniform(0.5, 1.0));
  }

  const Clock& clock_;
  const std::string place_;
  VersionFolder folder_;
  const FollowOptions& options_;
  const FollowEvents& events_;
  const std::stop_token& stop_;
  Random jitter_;
  std::unique_ptr<SnapshotCatalog> catalog_;  ///< while its place answers
  LatestSnapshots latest_;                    ///< what it said last
  std::string held_;                          ///< id behind `current`, or ""
  bool holds_healthy_ = false;
  bool moved_on_ = false;  ///< the snapshot went while it was fetched
  std::uint64_t failures_in_a_row_ = 0;
  FollowTotals totals_;
};

void Follower::load_current() {
  const auto current = folder_.current();
  if (!current) {
    return;
  }
  const auto list = open_snapshot_folder(*current)->list();
  if (list.ok() && folder_.whole_version(
                       list.value().front().id, options_.files) == current) {
    held_ = list.value().front().id;
    holds_healthy_ = list.value().front().verdict == kHealthy;
  }
}

Status Follower::look() {
  moved_on_ = false;
  SWAVD_RETURN_IF_ERROR(poll());
  const std::string wanted = choose(latest_);
  if (wanted.empty() || wanted == held_) {
    return folder_.prune(options_.keep, options_.grace, clock_.steady());
  }
  const Status held = hold(wanted);
  if (!held.ok() && held.error().code != ErrorCode::kCancelled) {
    // Retention may have taken it in the middle: not worth a word, if there
    // is a newer one.
    if (poll().ok() && choose(latest_) != wanted) {
      moved_on_ = true;
      return ok_status();
    }
  }
  return held;
}

Status Follower::poll() {
  if (!catalog_) {
    auto opened = open_catalog(place_);
    if (!opened.ok()) {
      return opened.error();
    }
    catalog_ = std::move(opened).value();
  }
  auto latest = catalog_->poll_latest();
  if (!latest.ok()) {
    catalog_.reset();
    return latest.error();
  }
  if (latest.value()) {
    latest_ = std::move(*latest.value());
  }
  return ok_status();
}

std::string Follower::choose(const LatestSnapshots& latest) const {
  if (options_.choice == FollowChoice::kNewest) {
    return latest.newest;
  }
  if (!latest.healthy.empty()) {
    return latest.healthy;
  }
  return holds_healthy_ ? held_ : latest.newest;
}

Status Follower::hold(const std::string& id) {
  const auto start = clock_.steady();
  FollowSwitch report;
  report.id = id;
  auto version = obtain(id, report);
  if (!version.ok()) {
    return version.error().with_context(id);
  }
  SWAVD_RETURN_IF_ERROR(folder_.switch_to(version.value(), clock_.steady()));
  held_ = id;
  holds_healthy_ = report.verdict == kHealthy;
  report.folder = version.value().string();
  report.took =
      std::chrono::duration_cast<milliseconds>(clock_.steady() - start);
  ++totals_.switches;
  events_.switched(report);
  if (!options_.exec.empty()) {
    run_exec(report);
  }
  return folder_.prune(options_.keep, options_.grace, clock_.steady());
}

Result<std::filesystem::path> Follower::obtain(
    const std::string& id,
    FollowSwitch& report) {
  auto opened = catalog_->open(id);
  if (!opened.ok()) {
    return opened.error();
  }
  SnapshotReader& snapshot = *opened.value();
  SWAVD_RETURN_IF_ERROR(check_manifest(snapshot));
  report.step = snapshot.manifest().step;
  report.verdict = snapshot.manifest().health.verdict;
  if (auto version = folder_.whole_version(id, options_.files)) {
    return *std::move(version);
  }
  const auto gathering = folder_.incoming(id);
  if (!gathering.ok()) {
    return gathering.error();
  }
  SWAVD_RETURN_IF_ERROR(fetch(snapshot, gathering.value(), report));
  return folder_.publish(id);
}

Status Follower::fetch(
    SnapshotReader& snapshot,
    const std::filesystem::path& folder,
    FollowSwitch& report) {
  std::vector<FileEntry> wanted;
  for (const FileEntry& file : snapshot.manifest().files) {
    if (options_.files == PullFiles::kAll || file.name != kStateFile) {
      wanted.push_back(file);
      report.bytes += file.bytes;
    }
  }
  const auto fetched = fetch_files(
      snapshot,
      wanted,
      folder,
      {options_.parallel, options_.part_bytes},
      stop_);
  if (!fetched.ok()) {
    return fetched.error();
  }
  report.fetched_bytes = fetched.value();
  auto manifest = FileWriter::create(folder / kManifestFile);
  if (!manifest.ok()) {
    return manifest.error();
  }
  SWAVD_RETURN_IF_ERROR(
      manifest.value().write(as_bytes(snapshot.manifest_text())));
  return manifest.value().sync();
}

void Follower::run_exec(const FollowSwitch& report) {
  const auto outcome = run_hook(
      options_.exec,
      {{"SWAVD_SNAPSHOT_ID", report.id},
       {"SWAVD_SNAPSHOT_STEP", std::to_string(report.step)},
       {"SWAVD_SNAPSHOT_HEALTH", report.verdict},
       {"SWAVD_SNAPSHOT_FOLDER", report.folder}},
      stop_);
  const std::string problem =
      outcome.ok() ? outcome.value() : outcome.error().message;
  if (!problem.empty()) {
    ++totals_.hook_failures;
    events_.trouble(
        kHookFailed,
        fmt::format(
            "\"{}\" after the switch to {} {}; following goes on",
            options_.exec,
            report.id,
            problem));
  }
}

}  // namespace

Result<FollowTotals> follow(
    const Clock& clock,
    const std::string& ref,
    const std::string& folder,
    const FollowOptions& options,
    const FollowEvents& events,
    const std::stop_token& stop) {
  SnapshotRef parsed = parse_ref(ref);
  SWAVD_RETURN_IF_ERROR(check_options(parsed, options));
  auto kept = VersionFolder::open(folder, clock.steady());
  if (!kept.ok()) {
    return kept.error();
  }
  Follower follower(
      clock,
      std::move(parsed.place),
      std::move(kept).value(),
      options,
      events,
      stop);
  return follower.run();
}

}  // namespace swavd::state
