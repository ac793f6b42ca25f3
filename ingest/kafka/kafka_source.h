#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "ingest/kafka/kafka_query.h"
#include "ingest/kafka/kafka_reader.h"
#include "ingest/source.h"
#include "ingest/streams.h"
#include "ops/base/mutex.h"

namespace swavd::ingest {

/// A Kafka topic as a Source. See `open_kafka_source`.
///
/// Offsets of a partition ascend but need not be contiguous: compaction and
/// transaction markers leave holes, which are passed over in silence. Since
/// records come in offset order, whoever consumes them knows from two
/// neighbours that nothing lies between (StreamProgress::absent).
class KafkaSource final : public Source {
 public:
  KafkaSource(
      StreamUrl url,
      SourceOptions options,
      std::unique_ptr<KafkaQuery> query);

  Result<std::string> stream_id() override;

  const std::string& topic() const override { return url_.topic; }

  Result<std::vector<PartitionBounds>> bounds() override;

  Result<std::vector<PartitionBounds>> resolve_start(StartPoint start) override;

  Status assign(const std::vector<Position>& positions) override;

  Result<Polled> poll(std::chrono::milliseconds timeout) override;

  Result<Polled> poll_partition(
      std::int32_t partition,
      std::chrono::milliseconds timeout) override;

  void publish_progress(const std::vector<Position>& positions) override;

  void close() override;

 private:
  Result<std::vector<ReadFrom>> plan(const std::vector<Position>& own);
  Status check_fingerprints(
      const std::vector<Position>& own,
      const std::vector<PartitionBounds>& bounds);
  template <typename Pop>
  Result<Polled> next(std::chrono::milliseconds timeout, Pop pop);
  Error cancelled() const;
  KafkaReader* reader() const SWAVD_EXCLUDES(mutex_);

  const StreamUrl url_;
  const SourceOptions options_;
  const std::unique_ptr<KafkaQuery> query_;
  std::atomic<bool> closed_ = false;
  mutable Mutex mutex_;
  // Set once; the pointer is guarded, the reader is thread-safe by itself.
  std::unique_ptr<KafkaReader> reader_ SWAVD_GUARDED_BY(mutex_);
};

}  // namespace swavd::ingest
