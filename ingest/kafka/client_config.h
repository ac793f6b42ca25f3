#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ingest/kafka/client_events.h"
#include "ingest/kafka/handles.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// Names and values of librdkafka properties, in the order they are set.
using Properties = std::vector<std::pair<std::string, std::string>>;

/// A client's properties from two sides.
struct ClientProperties {
  Properties defaults;  ///< ours, which [stream.client] may replace
  Properties fixed;     ///< ours, on which swavd's promises rest
  std::map<std::string, std::string> user;  ///< [stream.client]
};

/// Builds a librdkafka client of `type`. `listener` must outlive it. Errors:
/// kInvalidArgument naming a key that swavd owns (see `check_client`), one
/// that the library does not know, or a value it refuses; a secret's value is
/// never in the message.
[[nodiscard]] Result<KafkaHandle> make_client(
    rd_kafka_type_t type,
    const ClientProperties& properties,
    ClientListener& listener);

}  // namespace swavd::ingest
