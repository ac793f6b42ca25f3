#pragma once

#include "ingest/kafka/handles.h"
#include "ingest/record.h"

namespace swavd::ingest {

/// Copies a consumed message: the original pins the whole response it came
/// in, up to 50 MB, until it is destroyed.
[[nodiscard]] Record to_record(const rd_kafka_message_t& message);

/// A message's headers for producing; nullptr when there are none.
[[nodiscard]] HeadersHandle to_headers(const Headers& headers);

}  // namespace swavd::ingest
