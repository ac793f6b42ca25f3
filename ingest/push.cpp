#include "ingest/push.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "ingest/files/file_walk.h"
#include "ingest/paths.h"
#include "ops/base/files.h"
#include "ops/base/log.h"
#include "ops/base/mutex.h"
#include "ops/base/sha256.h"

namespace swavd::ingest {

namespace {

using std::chrono::duration;
using std::chrono::steady_clock;

constexpr std::size_t kKeyDigits = 16;

/// One run of `push_paths`.
class Pusher {
 public:
  Pusher(Sink& sink, const PushOptions& options, const std::stop_token& stop)
      : sink_(sink),
        options_(options),
        stop_(stop) {}

  Status push(const std::string& path) {
    const std::string ending = std::filesystem::path(path).extension();
    if (ending == ".txt" || ending == ".lst") {
      if (options_.hold_out > 0) {
        return Error{
            ErrorCode::kInvalidArgument,
            path + " is a list: images are held out of folders and tars only"};
      }
      return push_list(path);
    }
    auto files = files_to_push(path);
    if (!files.ok()) {
      return files.error();
    }
    std::uint64_t left = files.value();
    Status outcome = ok_status();
    const Status walked = for_each_file(path, [&](PathFile&& file) {
      if (left == 0) {
        return false;
      }
      --left;
      outcome = publish(std::move(file.name), std::move(file.bytes));
      return outcome.ok() && !stop_.stop_requested();
    });
    return outcome.ok() ? walked : outcome;
  }

  PushSummary summary() const {
    PushSummary summary = summary_;
    summary.seconds = duration<double>(steady_clock::now() - began_).count();
    return summary;
  }

 private:
  /// How many files of a folder or tar come before those held out.
  Result<std::uint64_t> files_to_push(const std::string& path) const {
    if (options_.hold_out == 0) {
      return std::numeric_limits<std::uint64_t>::max();
    }
    auto walk = open_walk(path);
    if (!walk.ok()) {
      return walk.error();
    }
    std::uint64_t files = 0;
    while (true) {
      auto name = walk.value()->advance();
      if (!name.ok()) {
        return name.error();
      }
      if (!name.value()) {
        return files - std::min(files, options_.hold_out);
      }
      ++files;
    }
  }

  Status push_list(const std::string& path) {
    const auto list = read_file(path);
    if (!list.ok()) {
      return list.error();
    }
    const std::filesystem::path folder =
        std::filesystem::path(path).parent_path();
    std::string_view rest = as_text(list.value());
    while (!rest.empty() && !stop_.stop_requested()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (line.ends_with('\r')) {
        line.remove_suffix(1);
      }
      if (!line.empty()) {
        SWAVD_RETURN_IF_ERROR(push_listed(folder, std::string(line)));
      }
    }
    return ok_status();
  }

  Status push_listed(
      const std::filesystem::path& folder,
      const std::string& name) {
    auto bytes = read_file(folder / name);  // an absolute name stands alone
    if (!bytes.ok()) {
      reject("unreadable", name, bytes.error().message);
      return ok_status();
    }
    return publish(name, std::move(bytes).value());
  }

  Status publish(std::string name, ByteVector bytes) {
    const std::uint64_t size = bytes.size();
    if (size > options_.max_record_bytes) {
      reject(
          "too_large",
          name,
          fmt::format("{} bytes, at most {}", size, options_.max_record_bytes));
      return ok_status();
    }
    pace();
    if (stop_.stop_requested()) {
      return ok_status();
    }
    OutRecord record;
    std::string digest = sha256_hex(bytes);
    record.key = digest.substr(0, kKeyDigits);
    record.payload = std::move(bytes);
    record.headers.emplace_back(kHeaderSha256, std::move(digest));
    record.headers.emplace_back(kHeaderName, name);
    const Status status = sink_.publish(std::move(record));
    if (!status.ok() && status.error().code == ErrorCode::kInvalidArgument) {
      // The stream's own limit may be lower than ours.
      reject("refused", name, status.error().message);
      return ok_status();
    }
    SWAVD_RETURN_IF_ERROR(status);
    ++summary_.published;
    summary_.bytes += size;
    tell();
    return ok_status();
  }

  /// Waits until the next record is due. A late one is not made up for by a
  /// burst: the rate is a bound.
  void pace() {
    if (options_.records_per_second <= 0) {
      return;
    }
    const auto now = steady_clock::now();
    const auto wait = due_ - now;
    if (wait > wait.zero()) {
      const std::stop_callback wake(stop_, [this] { bell_.notify_all(); });
      const MutexLock lock(mutex_);
      (void)bell_.wait_for(
          mutex_, wait, [this] { return stop_.stop_requested(); });
    }
    due_ = std::max(due_, now) +
           std::chrono::duration_cast<steady_clock::duration>(
               duration<double>(1.0 / options_.records_per_second));
  }

  void reject(
      std::string_view reason,
      const std::string& name,
      const std::string& detail) {
    ++summary_.rejected;
    log(LogLevel::kWarning,
        "push_rejected",
        detail,
        {{"reason", std::string(reason)}, {"name", name}});
    tell();
  }

  void tell() {
    if (options_.on_progress) {
      options_.on_progress(summary());
    }
  }

  Sink& sink_;
  const PushOptions& options_;
  const std::stop_token stop_;
  PushSummary summary_;
  const steady_clock::time_point began_ = steady_clock::now();
  steady_clock::time_point due_ = began_;
  Mutex mutex_;
  CondVar bell_;
};

}  // namespace

Result<PushSummary> push_paths(
    Sink& sink,
    const std::vector<std::string>& paths,
    const PushOptions& options,
    const std::stop_token& stop) {
  Pusher pusher(sink, options, stop);
  Status outcome = ok_status();
  for (const std::string& path : paths) {
    if (outcome.ok() && !stop.stop_requested()) {
      outcome = pusher.push(path);
    }
  }
  const Status flushed = sink.flush(options.flush_timeout);
  if (!outcome.ok() || !flushed.ok()) {
    const Error& error = outcome.ok() ? flushed.error() : outcome.error();
    return error.with_context(
        fmt::format("push, after {} records", pusher.summary().published));
  }
  return pusher.summary();
}

std::string to_json(const PushSummary& summary) {
  return fmt::format(
      R"({{"published":{},"bytes":{},"rejected":{},"seconds":{:.3f}}})",
      summary.published,
      summary.bytes,
      summary.rejected,
      summary.seconds);
}

}  // namespace swavd::ingest
