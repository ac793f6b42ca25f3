#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ingest/kafka/client_config.h"
#include "ingest/record.h"
#include "ingest/source.h"
#include "ingest/streams.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// The partitions of `topic`, ascending, asked from the brokers. Waits a few
/// seconds for a topic that is being created. With a client that may create
/// topics and a broker that does, this creates it. Errors: kUnavailable,
/// kNotFound.
[[nodiscard]] Result<std::vector<std::int32_t>> ask_partitions(
    rd_kafka_t& client,
    const std::string& topic);

/// Questions about one topic, answered by the brokers: a consumer of its own,
/// so that they do not disturb what is being read. Thread-safe, but `read_at`
/// is for one thread.
class KafkaQuery {
 public:
  /// Errors: kInvalidArgument (client options).
  [[nodiscard]] static Result<std::unique_ptr<KafkaQuery>> open(
      const StreamUrl& url,
      const SourceOptions& options);

  /// Errors: kUnavailable.
  [[nodiscard]] Result<std::string> cluster_id();

  /// Errors: kUnavailable, kNotFound.
  [[nodiscard]] Result<std::vector<PartitionBounds>> all_bounds();

  /// In the order of `partitions`. kNotFound is certain: for some seconds no
  /// broker knew them, as one that has just started may not for a moment.
  /// Errors: kUnavailable, kNotFound.
  [[nodiscard]] Result<std::vector<PartitionBounds>> bounds(
      const std::vector<std::int32_t>& partitions);

  /// The first offset of each partition whose record is not older than
  /// `time_ms`; the end where there is none. Errors: kUnavailable.
  [[nodiscard]] Result<std::vector<PartitionBounds>> bounds_since(
      std::int64_t time_ms);

  /// Reads the records at these offsets, one per partition. An offset where
  /// none is (compacted, a transaction marker) is left out. Errors:
  /// kUnavailable.
  [[nodiscard]] Result<std::map<std::int32_t, Record>> read_at(
      const std::map<std::int32_t, std::int64_t>& offsets);

 private:
  KafkaQuery(std::string topic, std::string brokers)
      : topic_(std::move(topic)),
        brokers_(std::move(brokers)) {}

  const std::string topic_;
  const std::string brokers_;
  ClientListener listener_;  // nothing to tell: each call returns its error
  KafkaHandle client_;
};

}  // namespace swavd::ingest
