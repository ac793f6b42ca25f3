#include "ingest/kafka/message.h"

#include <sys/types.h>

namespace swavd::ingest {

namespace {

Headers headers_of(const rd_kafka_message_t& message) {
  Headers headers;
  rd_kafka_headers_t* raw = nullptr;
  if (rd_kafka_message_headers(&message, &raw) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return headers;
  }
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       rd_kafka_header_get_all(raw, i, &name, &value, &size) ==
       RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    headers.emplace_back(
        name,
        value == nullptr ? std::string()
                         : std::string(static_cast<const char*>(value), size));
  }
  return headers;
}

}  // namespace

Record to_record(const rd_kafka_message_t& message) {
  Record record;
  record.address.topic = rd_kafka_topic_name(message.rkt);
  record.address.partition = message.partition;
  record.address.offset = message.offset;
  if (message.key != nullptr) {
    record.key.assign(static_cast<const char*>(message.key), message.key_len);
  }
  if (message.payload != nullptr) {
    const auto* bytes = static_cast<const std::uint8_t*>(message.payload);
    record.payload.assign(bytes, bytes + message.len);
  }
  record.headers = headers_of(message);
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  record.timestamp_ms = rd_kafka_message_timestamp(&message, &type);
  return record;
}

HeadersHandle to_headers(const Headers& headers) {
  if (headers.empty()) {
    return nullptr;
  }
  HeadersHandle raw(rd_kafka_headers_new(headers.size()));
  for (const auto& [name, value] : headers) {
    rd_kafka_header_add(
        raw.get(),
        name.data(),
        static_cast<ssize_t>(name.size()),
        value.data(),
        static_cast<ssize_t>(value.size()));
  }
  return raw;
}

}  // namespace swavd::ingest
