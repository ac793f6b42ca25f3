#include "dedup_free_loader/reading/shuffle_window.h"

#include <algorithm>
#include <tuple>

#include "ops/base/check.h"
#include "ops/base/philox.h"

namespace swavd::loader {

PartitionWindow::PartitionWindow(
    std::int32_t partition,
    const WindowOptions& options)
    : partition_(partition),
      options_(options),
      key_(stream_key(options.seed, "loader/shuffle")) {
  SWAVD_CHECK(options.records >= 1);
}

bool PartitionWindow::comes_later(const Held& left, const Held& right) {
  return std::tie(left.rank, left.record.address.offset) >
         std::tie(right.rank, right.record.address.offset);
}

std::uint64_t PartitionWindow::rank_of(std::int64_t offset) const {
  constexpr unsigned kWordBits = 32;
  const auto at = static_cast<std::uint64_t>(offset);
  const auto words = philox(
      {static_cast<std::uint32_t>(at),
       static_cast<std::uint32_t>(at >> kWordBits),
       static_cast<std::uint32_t>(partition_),
       0},
      {static_cast<std::uint32_t>(key_),
       static_cast<std::uint32_t>(key_ >> kWordBits)});
  return words[0] | std::uint64_t{words[1]} << kWordBits;
}

PartitionWindow::Segment& PartitionWindow::segment_of(
    std::int64_t offset,
    TimePoint now) {
  const std::int64_t end = (offset / options_.records + 1) * options_.records;
  if (!segments_.empty() && segments_.back().end == 0) {
    segments_.back().end = end;  // there is a gap in front of it
    segments_.back().since = now;
  } else if (
      segments_.empty() || segments_.back().complete ||
      segments_.back().end != end) {
    if (!segments_.empty()) {
      segments_.back().complete = true;
    }
    Segment segment;
    segment.end = end;
    segment.since = now;
    segments_.push_back(std::move(segment));
  }
  return segments_.back();
}

bool PartitionWindow::fits(const Segment& segment, const Held& held) const {
  return segment.heap.empty() ||
         segment.heap_bytes + held.record.payload.size() <= options_.bytes;
}

void PartitionWindow::push(Segment& segment, Held held) {
  segment.heap_bytes += held.record.payload.size();
  segment.heap.push_back(std::move(held));
  std::ranges::push_heap(segment.heap, comes_later);
}

void PartitionWindow::add(ingest::Record record, TimePoint now) {
  const std::int64_t offset = record.address.offset;
  SWAVD_CHECK(offset >= next_offset_);
  Segment& segment = segment_of(offset, now);
  ++records_;
  bytes_ += record.payload.size();
  Held held{rank_of(offset), std::move(record), next_offset_};
  next_offset_ = offset + 1;
  segment.complete = next_offset_ == segment.end;
  if (segment.behind.empty() && fits(segment, held)) {
    push(segment, std::move(held));
  } else {
    segment.behind.push_back(std::move(held));
  }
}

void PartitionWindow::add_gap(const PartitionRange& gap) {
  if (segments_.empty() || segments_.back().end != 0) {
    end();
    segments_.emplace_back();
  }
  segments_.back().gaps.push_back(gap);
}

void PartitionWindow::end() {
  if (!segments_.empty()) {
    segments_.back().complete = true;
  }
}

bool PartitionWindow::settled() const {
  return records_ > 0 &&
         (segments_.front().complete || !segments_.front().behind.empty());
}

std::optional<PartitionWindow::TimePoint> PartitionWindow::waiting_since()
    const {
  if (records_ == 0 || settled()) {
    return std::nullopt;
  }
  return segments_.front().since;
}

Drawn PartitionWindow::draw(TimePoint now) {
  SWAVD_CHECK(records_ > 0);
  Segment& segment = segments_.front();
  std::ranges::pop_heap(segment.heap, comes_later);
  Held held = std::move(segment.heap.back());
  segment.heap.pop_back();
  --records_;
  bytes_ -= held.record.payload.size();
  segment.heap_bytes -= held.record.payload.size();
  while (!segment.behind.empty() && fits(segment, segment.behind.front())) {
    push(segment, std::move(segment.behind.front()));
    segment.behind.pop_front();
  }
  Drawn drawn;
  drawn.gaps = std::exchange(segment.gaps, {});
  const std::int64_t offset = held.record.address.offset;
  if (held.first_absent < offset) {
    drawn.absent = PartitionRange{partition_, held.first_absent, offset - 1};
  }
  drawn.record = std::move(held.record);
  if (segment.heap.empty()) {
    segments_.pop_front();
    if (!segments_.empty()) {
      segments_.front().since = now;
    }
  }
  return drawn;
}

}  // namespace swavd::loader
