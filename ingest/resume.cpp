#include "ingest/resume.h"

#include <algorithm>

#include <fmt/format.h>

#include "ops/base/sha256.h"

namespace swavd::ingest {

namespace {

/// Offsets of [from, to) that `position` has not consumed.
std::int64_t
missing(const Position& position, std::int64_t from, std::int64_t to) {
  std::int64_t open = to - from;
  for (const OffsetRange& range : position.done_above) {
    const std::int64_t first = std::max(range.first, from);
    const std::int64_t end = std::min(range.last + 1, to);
    open -= std::max<std::int64_t>(0, end - first);
  }
  return open;
}

Error beyond_the_end(
    const Position& position,
    const PartitionBounds& bounds,
    std::int64_t wanted) {
  return {
      ErrorCode::kNotFound,
      fmt::format(
          "partition {} of {}: the position {} lies {} beyond the end {}: the "
          "topic lost records or was made anew; start a new run (--new-run) "
          "or go back to a snapshot that fits it",
          position.partition,
          position.topic,
          wanted,
          wanted - bounds.end,
          bounds.end)};
}

Error offsets_gone(
    const Position& position,
    const PartitionBounds& bounds,
    std::int64_t lost) {
  return {
      ErrorCode::kNotFound,
      fmt::format(
          "partition {} of {}: offsets {} to {} are gone ({} not yet "
          "consumed), retention overtook the run; set stream.on_gap = "
          "\"jump\" to go on at {} with the gap written into the position",
          position.partition,
          position.topic,
          position.next,
          bounds.begin - 1,
          lost,
          bounds.begin)};
}

}  // namespace

bool holds(const std::vector<OffsetRange>& ranges, std::int64_t offset) {
  const auto range = std::lower_bound(
      ranges.begin(),
      ranges.end(),
      offset,
      [](const OffsetRange& candidate, std::int64_t value) {
        return candidate.last < value;
      });
  return range != ranges.end() && range->first <= offset;
}

Result<Resume> plan_resume(
    const Position& position,
    const PartitionBounds& bounds,
    OnGap on_gap) {
  const std::int64_t wanted = position.done_above.empty()
                                  ? position.next
                                  : position.done_above.back().last + 1;
  if (wanted > bounds.end) {
    return beyond_the_end(position, bounds, wanted);
  }
  if (position.next >= bounds.begin) {
    return Resume{position.next, std::nullopt};
  }
  const std::int64_t lost = missing(position, position.next, bounds.begin);
  if (on_gap == OnGap::kStop) {
    return offsets_gone(position, bounds, lost);
  }
  return Resume{bounds.begin, OffsetRange{position.next, bounds.begin - 1}};
}

bool has_readable_fingerprint(
    const Position& position,
    const PartitionBounds& bounds) {
  return position.last && !position.last->sha256.empty() &&
         position.last->offset >= bounds.begin &&
         position.last->offset < bounds.end;
}

Status check_fingerprint(
    const Position& position,
    Bytes payload,
    std::int64_t timestamp_ms) {
  const Fingerprint& last = *position.last;
  const bool same_time = last.timestamp_ms < 0 || timestamp_ms < 0 ||
                         last.timestamp_ms == timestamp_ms;
  const std::string found = sha256_hex(payload);
  if (found == last.sha256 && same_time) {
    return ok_status();
  }
  return Error{
      ErrorCode::kCorruption,
      fmt::format(
          "partition {} of {}: the record at offset {} is not the one that "
          "was consumed (sha256 {} at {} ms, now {} at {} ms): the topic was "
          "made anew; start a new run (--new-run)",
          position.partition,
          position.topic,
          last.offset,
          last.sha256,
          last.timestamp_ms,
          found,
          timestamp_ms)};
}

}  // namespace swavd::ingest
