#include "ingest/files/path_source.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "ingest/resume.h"

namespace swavd::ingest {

namespace {

Result<std::vector<std::string>> list_names(const std::string& path) {
  auto walk = open_walk(path);
  if (!walk.ok()) {
    return walk.error();
  }
  std::vector<std::string> names;
  while (true) {
    auto name = walk.value()->advance();
    if (!name.ok()) {
      return name.error();
    }
    if (!name.value()) {
      return names;
    }
    names.push_back(*std::move(name).value());
  }
}

struct Range {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};

Range selected(std::uint64_t count, const PathSourceOptions& options) {
  Range range{0, count - std::min(count, options.drop_last)};
  if (options.take_last > 0) {
    range.first = range.end - std::min(range.end, options.take_last);
  }
  if (options.limit > 0) {
    range.end = std::min(range.end, range.first + options.limit);
  }
  return range;
}

/// Reads the files that stand at [range) of the sorted names.
Result<std::vector<PathFile>> load_sorted(
    const std::string& path,
    const std::vector<std::string>& names,
    Range range) {
  std::vector<std::size_t> order(names.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Stable: members of one name stay in the tar's order.
  std::stable_sort(
      order.begin(), order.end(), [&names](std::size_t a, std::size_t b) {
        return names[a] < names[b];
      });
  std::vector<std::size_t> rank(names.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    rank[order[i]] = i;
  }
  auto walk = open_walk(path);
  if (!walk.ok()) {
    return walk.error();
  }
  std::vector<PathFile> files(range.end - range.first);
  for (const std::size_t place : rank) {
    auto name = walk.value()->advance();
    if (!name.ok()) {
      return name.error();
    }
    if (!name.value()) {
      return Error{ErrorCode::kIo, path + " shrank while it was read"};
    }
    if (place < range.first || place >= range.end) {
      continue;
    }
    auto file = read_named(*walk.value(), *std::move(name).value());
    if (!file.ok()) {
      return file.error();
    }
    files[place - range.first] = std::move(file).value();
  }
  return files;
}

}  // namespace

Result<FileSelection> select_files(
    const std::string& path,
    const PathSourceOptions& options) {
  FileSelection selection;
  const bool folder = std::filesystem::is_directory(path);
  const bool reorder = options.sorted && !folder;
  if (!reorder && options.drop_last == 0 && options.take_last == 0) {
    auto walk = open_walk(path);  // tells a wrong PATH at once
    if (!walk.ok()) {
      return walk.error();
    }
    if (options.limit > 0) {
      selection.limit = options.limit;
    }
    return selection;
  }
  const auto names = list_names(path);
  if (!names.ok()) {
    return names.error();
  }
  const Range range = selected(names.value().size(), options);
  if (!reorder) {
    selection.skip = range.first;
    selection.limit = range.end - range.first;
    return selection;
  }
  auto files = load_sorted(path, names.value(), range);
  if (!files.ok()) {
    return files.error();
  }
  selection.loaded = std::move(files).value();
  return selection;
}

PathSource::PathSource(std::string path, FileSelection selection)
    : FiniteSource(std::move(path)),
      selection_(std::move(selection)) {}

Result<std::int64_t> PathSource::count() {
  if (count_) {
    return *count_;
  }
  std::uint64_t files = 0;
  if (selection_.loaded) {
    files = selection_.loaded->size();
  } else {
    const auto names = list_names(path());
    if (!names.ok()) {
      return names.error();
    }
    const std::uint64_t all = names.value().size();
    files = std::min(all - std::min(all, selection_.skip), selection_.limit);
  }
  count_ = static_cast<std::int64_t>(files);
  return *count_;
}

Result<std::vector<PartitionBounds>> PathSource::bounds() {
  const auto files = count();
  if (!files.ok()) {
    return files.error();
  }
  return std::vector<PartitionBounds>{{0, 0, files.value()}};
}

Result<PathFile> PathSource::file_at(std::int64_t offset) {
  const auto place = static_cast<std::uint64_t>(offset);
  if (selection_.loaded) {
    return (*selection_.loaded)[place];
  }
  auto walk = open_walk(path());
  if (!walk.ok()) {
    return walk.error();
  }
  std::string at;
  for (std::uint64_t i = 0; i <= selection_.skip + place; ++i) {
    auto name = walk.value()->advance();
    if (!name.ok()) {
      return name.error();
    }
    if (!name.value()) {
      return Error{
          ErrorCode::kNotFound,
          fmt::format("{} has no file number {}", path(), i)};
    }
    at = *std::move(name).value();
  }
  return read_named(*walk.value(), std::move(at));
}

Status PathSource::verify(const Position& position) {
  const bool fresh =
      position.next == 0 && position.done_above.empty() && !position.last;
  if (fresh) {
    return ok_status();  // spares a tar the pass that counts its members
  }
  const auto all = bounds();
  if (!all.ok()) {
    return all.error();
  }
  const PartitionBounds& bounds = all.value().front();
  const auto plan = plan_resume(position, bounds, OnGap::kStop);
  if (!plan.ok()) {
    return plan.error();
  }
  if (!has_readable_fingerprint(position, bounds)) {
    return ok_status();
  }
  const auto file = file_at(position.last->offset);
  if (!file.ok()) {
    return file.error();
  }
  return check_fingerprint(position, file.value().bytes, -1);
}

Status PathSource::begin_at(const Position& position) {
  SWAVD_RETURN_IF_ERROR(verify(position));
  auto walk = open_walk(path());
  if (!walk.ok()) {
    return walk.error();
  }
  walk_ = std::move(walk).value();
  for (std::uint64_t i = 0; !selection_.loaded && i < selection_.skip; ++i) {
    const auto skipped = walk_->advance();
    if (!skipped.ok()) {
      return skipped.error();
    }
  }
  from_ = position.next;
  done_ = position.done_above;
  return ok_status();
}

Result<std::optional<PathFile>> PathSource::next_file() {
  const auto place = static_cast<std::uint64_t>(next_);
  const bool wanted = next_ >= from_ && !holds(done_, next_);
  if (selection_.loaded) {
    auto& files = *selection_.loaded;
    if (place >= files.size()) {
      return std::optional<PathFile>{};
    }
    return std::optional<PathFile>(
        wanted ? std::move(files[place]) : PathFile{});
  }
  if (place >= selection_.limit) {
    return std::optional<PathFile>{};
  }
  auto name = walk_->advance();
  if (!name.ok()) {
    return name.error();
  }
  if (!name.value()) {
    return std::optional<PathFile>{};
  }
  if (!wanted) {
    return std::optional<PathFile>(PathFile{});
  }
  auto file = read_named(*walk_, *std::move(name).value());
  if (!file.ok()) {
    return file.error();
  }
  return std::optional<PathFile>(std::move(file).value());
}

Result<Polled> PathSource::read() {
  auto file = next_file();
  if (!file.ok()) {
    return file.error();
  }
  if (!file.value()) {
    return Polled{PollState::kEnd, {}};
  }
  const std::int64_t offset = next_++;
  if (offset < from_ || holds(done_, offset)) {
    return Polled{};
  }
  return as_record(offset, *std::move(file).value());
}

}  // namespace swavd::ingest
