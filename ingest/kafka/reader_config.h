#pragma once

#include <cstdint>

#include "ingest/kafka/client_config.h"
#include "ingest/streams.h"

namespace swavd::ingest {

/// How the bytes held ahead of the poller are shared out.
struct PrefetchShare {
  std::uint64_t ready_bytes = 0;   ///< per partition, copied out and waiting
  std::uint64_t client_bytes = 0;  ///< per partition, inside librdkafka
};

/// Halves `prefetch_bytes` between our queues and librdkafka's, and each half
/// among `partitions`. librdkafka 2.0.2 pauses a partition's fetches for a
/// second once its queue is full: what both hold is what flows meanwhile.
[[nodiscard]] PrefetchShare share_prefetch(
    std::uint64_t prefetch_bytes,
    std::size_t partitions);

/// Properties of a consumer that swavd assigns by hand.
[[nodiscard]] ClientProperties reader_properties(
    const StreamUrl& url,
    const SourceOptions& options,
    std::uint64_t client_bytes);

/// The same for the consumer that answers questions about the topic.
[[nodiscard]] ClientProperties query_properties(
    const StreamUrl& url,
    const SourceOptions& options);

}  // namespace swavd::ingest
