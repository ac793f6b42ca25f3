#pragma once

#include <memory>

#include <librdkafka/rdkafka.h>

namespace swavd::ingest {

/// Deleters for librdkafka's objects, one type for all.
struct KafkaDeleter {
  /// Does not wait for the group coordinator: swavd joins no group.
  void operator()(rd_kafka_t* raw) const {
    rd_kafka_destroy_flags(raw, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }

  void operator()(rd_kafka_conf_t* raw) const { rd_kafka_conf_destroy(raw); }

  void operator()(rd_kafka_topic_t* raw) const { rd_kafka_topic_destroy(raw); }

  void operator()(rd_kafka_queue_t* raw) const { rd_kafka_queue_destroy(raw); }

  void operator()(rd_kafka_message_t* raw) const {
    rd_kafka_message_destroy(raw);
  }

  void operator()(rd_kafka_headers_t* raw) const {
    rd_kafka_headers_destroy(raw);
  }

  void operator()(rd_kafka_error_t* raw) const { rd_kafka_error_destroy(raw); }

  void operator()(rd_kafka_topic_partition_list_t* raw) const {
    rd_kafka_topic_partition_list_destroy(raw);
  }

  void operator()(const rd_kafka_metadata_t* raw) const {
    rd_kafka_metadata_destroy(raw);
  }
};

using KafkaHandle = std::unique_ptr<rd_kafka_t, KafkaDeleter>;
using ConfHandle = std::unique_ptr<rd_kafka_conf_t, KafkaDeleter>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_t, KafkaDeleter>;
using QueueHandle = std::unique_ptr<rd_kafka_queue_t, KafkaDeleter>;
using MessageHandle = std::unique_ptr<rd_kafka_message_t, KafkaDeleter>;
using HeadersHandle = std::unique_ptr<rd_kafka_headers_t, KafkaDeleter>;
using ErrorHandle = std::unique_ptr<rd_kafka_error_t, KafkaDeleter>;
using PartitionsHandle =
    std::unique_ptr<rd_kafka_topic_partition_list_t, KafkaDeleter>;
using MetadataHandle = std::unique_ptr<const rd_kafka_metadata_t, KafkaDeleter>;

}  // namespace swavd::ingest
