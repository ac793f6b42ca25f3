#include "state/follow/part_fetch.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "ops/base/files.h"
#include "ops/base/mutex.h"
#include "ops/base/stage.h"
#include "state/follow/part_file.h"

namespace swavd::state {

namespace {

using PartFiles = std::vector<std::unique_ptr<PartFile>>;

/// One part of one file to be fetched.
struct FetchTask {
  PartFile* file;
  ByteRange part;
};

/// All that is missing of some files, taken by several threads.
class FetchRun {
 public:
  FetchRun(SnapshotReader& reader, const std::stop_token& stop)
      : reader_(reader),
        stop_(stop) {}

  void add(PartFile& file) {
    for (const ByteRange& part : file.missing()) {
      tasks_.push_back({&file, part});
      bytes_ += part.bytes;
    }
  }

  /// Of all that was added.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  /// Fetches it with up to `parallel` threads; gives the first error.
  [[nodiscard]] Status run(std::size_t parallel) {
    {
      std::vector<Stage> stages;
      for (std::size_t i = 1; i < std::min(parallel, tasks_.size()); ++i) {
        stages.emplace_back(
            "snapshot-fetch", [this](const std::stop_token&) { work(); });
      }
      work();
    }  // the stages are joined here
    const MutexLock lock(mutex_);
    return error_ ? Status(*error_) : ok_status();
  }

 private:
  void work() {
    for (std::size_t i = next_++; i < tasks_.size(); i = next_++) {
      const Status fetched = fetch(tasks_[i]);
      if (!fetched.ok()) {
        const MutexLock lock(mutex_);
        if (!error_) {
          error_ = fetched.error();
        }
        next_ = tasks_.size();  // what others are at is finished, no more
      }
    }
  }

  [[nodiscard]] Status fetch(const FetchTask& task) {
    const std::string& name = task.file->file().name;
    return task.file->put(task.part, [&](const ByteSink& sink) {
      const ByteSink until_stopped = [&](Bytes piece) -> Status {
        if (stop_.stop_requested()) {
          return Error{ErrorCode::kCancelled, "asked to stop"};
        }
        return sink(piece);
      };
      return reader_.has_ranges()
                 ? reader_.read_range(name, task.part, until_stopped)
                 : reader_.read(name, until_stopped);
    });
  }

  SnapshotReader& reader_;
  const std::stop_token& stop_;
  std::vector<FetchTask> tasks_;
  std::uint64_t bytes_ = 0;
  std::atomic<std::size_t> next_{0};
  Mutex mutex_;
  std::optional<Error> error_ SWAVD_GUARDED_BY(mutex_);
};

Status need_room(const std::filesystem::path& folder, std::uint64_t bytes) {
  const auto free = free_bytes(folder);
  if (!free.ok()) {
    return free.error();
  }
  if (free.value() < bytes) {
    return Error{
        ErrorCode::kExhausted,
        fmt::format(
            "{} needs {} bytes, {} are free; make room or keep fewer",
            folder.string(),
            bytes,
            free.value())};
  }
  return ok_status();
}

/// One file that is complete must have its digest. Where it has not and parts
/// of it are from before, it is fetched once more from the beginning. Gives
/// the bytes this took.
Result<std::uint64_t> finish_file(
    PartFile& file,
    bool resumed,
    const std::function<Result<std::uint64_t>()>& fetch_again) {
  Status finished = file.finish();
  if (finished.ok()) {
    return std::uint64_t{0};
  }
  SWAVD_RETURN_IF_ERROR(file.restart());
  if (finished.error().code != ErrorCode::kCorruption || !resumed) {
    return finished.error();
  }
  auto again = fetch_again();
  if (!again.ok()) {
    return again.error();
  }
  finished = file.finish();
  if (!finished.ok()) {
    SWAVD_RETURN_IF_ERROR(file.restart());
    return finished.error();
  }
  return again;
}

}  // namespace

Result<std::uint64_t> fetch_files(
    SnapshotReader& reader,
    const std::vector<FileEntry>& files,
    const std::filesystem::path& folder,
    const FetchOptions& options,
    const std::stop_token& stop) {
  // A reader without ranges gives whole files, one after the other.
  const std::size_t parallel = reader.has_ranges() ? options.parallel : 1;
  PartFiles parts;
  std::vector<bool> resumed;
  FetchRun run(reader, stop);
  for (const FileEntry& file : files) {
    auto part = PartFile::open(
        folder,
        file,
        reader.has_ranges() ? options.part_bytes
                            : std::max<std::uint64_t>(file.bytes, 1));
    if (!part.ok()) {
      return part.error();
    }
    const std::uint64_t before = run.bytes();
    run.add(*part.value());
    resumed.push_back(run.bytes() - before < file.bytes);
    parts.push_back(std::move(part).value());
  }
  SWAVD_RETURN_IF_ERROR(need_room(folder, run.bytes()));
  SWAVD_RETURN_IF_ERROR(run.run(parallel));
  std::uint64_t fetched = run.bytes();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto again = finish_file(*parts[i], resumed[i], [&] {
      FetchRun once_more(reader, stop);
      once_more.add(*parts[i]);
      const Status got = once_more.run(parallel);
      return got.ok() ? Result<std::uint64_t>(once_more.bytes())
                      : Result<std::uint64_t>(got.error());
    });
    if (!again.ok()) {
      return again.error();
    }
    fetched += again.value();
  }
  for (const auto& part : parts) {
    SWAVD_RETURN_IF_ERROR(part->remove_list());
  }
  return fetched;
}

}  // namespace swavd::state
