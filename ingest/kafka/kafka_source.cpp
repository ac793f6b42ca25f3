#include "ingest/kafka/kafka_source.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "ingest/kafka/kafka_stream.h"
#include "ingest/resume.h"
#include "ops/base/log.h"

namespace swavd::ingest {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

const PartitionBounds* find_bounds(
    const std::vector<PartitionBounds>& all,
    std::int32_t partition) {
  const auto found = std::find_if(
      all.begin(), all.end(), [partition](const PartitionBounds& each) {
        return each.partition == partition;
      });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

KafkaSource::KafkaSource(
    StreamUrl url,
    SourceOptions options,
    std::unique_ptr<KafkaQuery> query)
    : url_(std::move(url)),
      options_(std::move(options)),
      query_(std::move(query)) {}

Error KafkaSource::cancelled() const {
  return {ErrorCode::kCancelled, to_string(url_) + " was closed"};
}

KafkaReader* KafkaSource::reader() const {
  const MutexLock lock(mutex_);
  return reader_.get();
}

Result<std::string> KafkaSource::stream_id() {
  const auto cluster = query_->cluster_id();
  if (!cluster.ok()) {
    return cluster.error();
  }
  return fmt::format("kafka/{}/{}", cluster.value(), url_.topic);
}

Result<std::vector<PartitionBounds>> KafkaSource::bounds() {
  if (closed_.load()) {
    return cancelled();
  }
  return query_->all_bounds();
}

Result<std::vector<PartitionBounds>> KafkaSource::resolve_start(
    StartPoint start) {
  if (start.at == StartAt::kTime) {
    return query_->bounds_since(start.time_ms);
  }
  auto all = bounds();
  if (all.ok() && start.at == StartAt::kLatest) {
    for (PartitionBounds& each : all.value()) {
      each.begin = each.end;
    }
  }
  return all;
}

Status KafkaSource::check_fingerprints(
    const std::vector<Position>& own,
    const std::vector<PartitionBounds>& bounds) {
  std::map<std::int32_t, std::int64_t> offsets;
  for (const Position& position : own) {
    const auto* held = find_bounds(bounds, position.partition);
    if (has_readable_fingerprint(position, *held)) {
      offsets[position.partition] = position.last->offset;
    }
  }
  const auto records = query_->read_at(offsets);
  if (!records.ok()) {
    return records.error();
  }
  for (const Position& position : own) {
    if (offsets.count(position.partition) == 0) {
      continue;
    }
    const auto found = records.value().find(position.partition);
    if (found == records.value().end()) {
      log(LogLevel::kWarning,
          "fingerprint_unreadable",
          "the last consumed record was compacted away: a topic made anew "
          "would not be noticed",
          {{"topic", url_.topic},
           {"partition", std::to_string(position.partition)}});
      continue;
    }
    SWAVD_RETURN_IF_ERROR(check_fingerprint(
        position, found->second.payload, found->second.timestamp_ms));
  }
  return ok_status();
}

Result<std::vector<ReadFrom>> KafkaSource::plan(
    const std::vector<Position>& own) {
  const auto bounds = query_->all_bounds();
  if (!bounds.ok()) {
    return bounds.error();
  }
  std::vector<ReadFrom> from;
  std::map<std::int32_t, OffsetRange> gaps;
  for (const Position& position : own) {
    const auto* held = find_bounds(bounds.value(), position.partition);
    if (held == nullptr) {
      return Error{
          ErrorCode::kNotFound,
          fmt::format(
              "{} has no partition {}: the topic was made anew with fewer; "
              "start a new run (--new-run)",
              to_string(url_),
              position.partition)};
    }
    const auto resume = plan_resume(
        position, *held, options_.jump_gaps ? OnGap::kJump : OnGap::kStop);
    if (!resume.ok()) {
      return resume.error();
    }
    if (resume.value().gap) {
      gaps[position.partition] = *resume.value().gap;
    }
    from.push_back(
        {position.partition, resume.value().from, position.done_above});
  }
  SWAVD_RETURN_IF_ERROR(check_fingerprints(own, bounds.value()));
  for (const auto& [partition, gap] : gaps) {
    if (options_.on_gap) {
      options_.on_gap(partition, gap.first, gap.last);
    }
  }
  return from;
}

Status KafkaSource::assign(const std::vector<Position>& positions) {
  if (closed_.load()) {
    return cancelled();
  }
  if (reader() != nullptr) {
    return Error{ErrorCode::kInternal, "a source is assigned once"};
  }
  std::vector<Position> own;
  for (const Position& position : positions) {
    if (position.topic != url_.topic) {
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format(
              "a position of topic {} cannot be read from {}",
              position.topic,
              to_string(url_))};
    }
    if (position.partition % options_.world == options_.rank) {
      own.push_back(position);
    }
  }
  const auto from = plan(own);
  if (!from.ok()) {
    return from.error();
  }
  auto started = KafkaReader::start(url_, options_, *query_, from.value());
  if (!started.ok()) {
    return started.error();
  }
  const MutexLock lock(mutex_);
  reader_ = std::move(started).value();
  if (closed_.load()) {
    reader_->ready().close();
  }
  return ok_status();
}

template <typename Pop>
Result<Polled> KafkaSource::next(milliseconds timeout, Pop pop) {
  if (closed_.load()) {
    return cancelled();
  }
  KafkaReader* const source = reader();
  if (source == nullptr) {
    return Error{ErrorCode::kInternal, "a source is polled after assign"};
  }
  const auto deadline = steady_clock::now() + timeout;
  while (true) {
    const auto left = std::chrono::duration_cast<milliseconds>(
        deadline - steady_clock::now());
    auto popped = pop(source->ready(), std::max(left, milliseconds(0)));
    if (!popped.ok()) {
      return popped.error();
    }
    if (!popped.value()) {
      return Polled{};
    }
    ReadyItem item = *std::move(popped).value();
    if (!item.gap) {
      return Polled{PollState::kRecord, std::move(item.record)};
    }
    if (options_.on_gap) {
      options_.on_gap(item.partition, item.gap->first, item.gap->last);
    }
  }
}

Result<Polled> KafkaSource::poll(milliseconds timeout) {
  return next(timeout, [](ReadyQueues& ready, milliseconds left) {
    return ready.pop_any(left);
  });
}

Result<Polled> KafkaSource::poll_partition(
    std::int32_t partition,
    milliseconds timeout) {
  return next(timeout, [partition](ReadyQueues& ready, milliseconds left) {
    return ready.pop(partition, left);
  });
}

void KafkaSource::publish_progress(const std::vector<Position>& positions) {
  if (KafkaReader* const source = reader(); source != nullptr) {
    source->commit(positions);
  }
}

void KafkaSource::close() {
  closed_.store(true);
  if (KafkaReader* const source = reader(); source != nullptr) {
    source->ready().close();
  }
}

Result<std::unique_ptr<Source>> open_kafka_source(
    const StreamUrl& url,
    const SourceOptions& options) {
  if (options.world < 1 || options.rank < 0 || options.rank >= options.world) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("rank {} of {} is none", options.rank, options.world)};
  }
  auto query = KafkaQuery::open(url, options);
  if (!query.ok()) {
    return query.error();
  }
  // The first question, so that an absent broker or topic shows here.
  const auto bounds = query.value()->all_bounds();
  if (!bounds.ok()) {
    return bounds.error();
  }
  std::unique_ptr<Source> source =
      std::make_unique<KafkaSource>(url, options, std::move(query).value());
  return source;
}

}  // namespace swavd::ingest
