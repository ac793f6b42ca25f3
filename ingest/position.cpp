#include "ingest/position.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ops/base/bytes.h"
#include "ops/base/check.h"

namespace swavd::ingest {

namespace {

/// The first range of `ranges` that ends at `offset` or later.
std::vector<OffsetRange>::iterator first_reaching(
    std::vector<OffsetRange>& ranges,
    std::int64_t offset) {
  return std::lower_bound(
      ranges.begin(),
      ranges.end(),
      offset,
      [](const OffsetRange& range, std::int64_t value) {
        return range.last < value;
      });
}

/// Adds [first, last] to ascending, disjoint `ranges` and joins what touches.
void add_range(std::vector<OffsetRange>& ranges, OffsetRange added) {
  auto from = first_reaching(ranges, added.first - 1);
  auto to = from;
  while (to != ranges.end() && to->first <= added.last + 1) {
    added.first = std::min(added.first, to->first);
    added.last = std::max(added.last, to->last);
    ++to;
  }
  from = ranges.erase(from, to);
  ranges.insert(from, added);
}

/// Moves `next` over what was consumed right above it.
void advance(Position& position) {
  auto& done = position.done_above;
  while (!done.empty() && done.front().first <= position.next) {
    position.next = std::max(position.next, done.front().last + 1);
    done.erase(done.begin());
  }
}

/// Marks [first, last] finished, wherever it lies.
void finish(Position& position, std::int64_t first, std::int64_t last) {
  first = std::max(first, position.next);
  if (first > last) {
    return;
  }
  add_range(position.done_above, {first, last});
  advance(position);
}

/// Writes a gap, as one with the gap before it when they touch.
void add_gap(std::vector<Gap>& gaps, Gap gap) {
  if (!gaps.empty() && gaps.back().to + 1 == gap.from &&
      gaps.back().reason == gap.reason) {
    gaps.back().to = gap.to;
    return;
  }
  gaps.push_back(std::move(gap));
}

const Gap* gap_at(const Position& position, std::int64_t offset) {
  for (const Gap& gap : position.gaps) {
    if (gap.from <= offset && offset <= gap.to) {
      return &gap;
    }
  }
  return nullptr;
}

Error inexact(const Address& address, std::string_view why) {
  return {
      ErrorCode::kInternal,
      fmt::format(
          "consume {}: {}; the lineage would no longer be exact",
          to_string(address),
          why)};
}

/// Why `offset` cannot be consumed in `position`; empty when it can.
std::string objection(Position& position, const Address& address) {
  const std::int64_t offset = address.offset;
  if (address.topic != position.topic) {
    return fmt::format("the position is of topic {}", position.topic);
  }
  if (offset < position.start) {
    return fmt::format("the run began at {}", position.start);
  }
  if (const Gap* gap = gap_at(position, offset); gap != nullptr) {
    return fmt::format("it lies in the gap {}-{}", gap->from, gap->to);
  }
  const auto range = first_reaching(position.done_above, offset);
  const bool above =
      range != position.done_above.end() && range->first <= offset;
  return offset < position.next || above ? "it was consumed before" : "";
}

void count(Position& position, Outcome outcome) {
  switch (outcome) {
    case Outcome::kTrained:
      ++position.trained;
      return;
    case Outcome::kRejected:
      ++position.rejected;
      return;
    case Outcome::kSkipped:
      ++position.skipped;
      return;
  }
}

}  // namespace

void Ledger::add(const Address& address, const Digest& payload_sha256) {
  const Digest digest = sha256(as_bytes(to_string(address)));
  ++count;
  hash += load_u64_le(digest.data());
  content += load_u64_le(payload_sha256.data());
}

StreamProgress::StreamProgress(std::vector<Position> positions, Ledger ledger)
    : ledger_(ledger) {
  for (Position& position : positions) {
    const std::int32_t partition = position.partition;
    const bool fresh =
        positions_.emplace(partition, std::move(position)).second;
    SWAVD_CHECK(fresh);
  }
}

void StreamProgress::begin(
    const std::string& topic,
    std::int32_t partition,
    std::int64_t start) {
  Position position;
  position.topic = topic;
  position.partition = partition;
  position.start = start;
  position.next = start;
  const bool fresh = positions_.emplace(partition, std::move(position)).second;
  SWAVD_CHECK(fresh);
}

Status StreamProgress::consume(const Consumed& record) {
  const Address& address = record.address;
  const auto found = positions_.find(address.partition);
  if (found == positions_.end()) {
    return inexact(address, "the partition is not part of this run");
  }
  Position& position = found->second;
  if (const std::string why = objection(position, address); !why.empty()) {
    return inexact(address, why);
  }
  finish(position, address.offset, address.offset);
  count(position, record.outcome);
  if (!position.last || position.last->offset < address.offset) {
    position.last = Fingerprint{
        address.offset, record.timestamp_ms, to_hex(record.payload_sha256)};
  }
  ledger_.add(address, record.payload_sha256);
  return ok_status();
}

Status StreamProgress::skip_gap(
    std::int32_t partition,
    std::int64_t from,
    std::int64_t to,
    const std::string& reason) {
  const auto found = positions_.find(partition);
  const bool known = found != positions_.end();
  if (!known || found->second.next < from || to < from) {
    return Error{
        ErrorCode::kInternal,
        fmt::format(
            "gap {}-{} of partition {}: {}",
            from,
            to,
            partition,
            known ? fmt::format(
                        "a gap begins at the position, which is {}",
                        found->second.next)
                  : "the partition is not part of this run")};
  }
  Position& position = found->second;
  // What the shuffle window consumed inside the gap did exist: leave it out.
  std::int64_t gone = position.next;
  for (const OffsetRange& done : position.done_above) {
    if (done.first > to) {
      break;
    }
    add_gap(position.gaps, {gone, done.first - 1, reason});
    gone = done.last + 1;
  }
  if (gone <= to) {
    add_gap(position.gaps, {gone, to, reason});
  }
  finish(position, position.next, to);
  return ok_status();
}

void StreamProgress::absent(
    std::int32_t partition,
    std::int64_t from,
    std::int64_t to) {
  const auto found = positions_.find(partition);
  SWAVD_CHECK(found != positions_.end());
  finish(found->second, from, to);
}

std::vector<Position> StreamProgress::positions() const {
  std::vector<Position> all;
  all.reserve(positions_.size());
  for (const auto& [partition, position] : positions_) {
    all.push_back(position);
  }
  return all;
}

}  // namespace swavd::ingest
