#pragma once

#include <memory>

#include "ingest/streams.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// A Kafka topic being read, through manual assignment. Asks the brokers for
/// the topic, so both must be there. Errors: kInvalidArgument (client
/// options), kUnavailable, kNotFound (no such topic).
[[nodiscard]] Result<std::unique_ptr<Source>> open_kafka_source(
    const StreamUrl& url,
    const SourceOptions& options);

/// A Kafka topic being written: idempotent, acknowledged by all replicas,
/// uncompressed. A broker that creates topics by itself creates it here.
/// Errors: as `open_kafka_source`.
[[nodiscard]] Result<std::unique_ptr<Sink>> open_kafka_sink(
    const StreamUrl& url,
    const SinkOptions& options);

}  // namespace swavd::ingest
