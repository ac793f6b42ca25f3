#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "ingest/streams.h"
#include "ops/base/check.h"

namespace swavd::ingest::testing {

/// librdkafka's own brokers inside this process: for protocol errors and
/// outages. They keep 5 MiB per partition and forget nothing else.
class MockKafka {
 public:
  explicit MockKafka(int brokers) : brokers_(brokers) {
    char why[256];
    owner_ =
        rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof(why));
    SWAVD_CHECK(owner_ != nullptr);
    cluster_ = rd_kafka_mock_cluster_new(owner_, brokers);
    SWAVD_CHECK(cluster_ != nullptr);
  }

  MockKafka(const MockKafka&) = delete;
  MockKafka& operator=(const MockKafka&) = delete;

  ~MockKafka() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(owner_);
  }

  void create_topic(const std::string& topic, int partitions) {
    const auto code =
        rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1);
    SWAVD_CHECK(code == RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  StreamUrl url(const std::string& topic) const {
    StreamUrl url;
    url.kind = StreamUrl::Kind::kKafka;
    url.brokers = rd_kafka_mock_cluster_bootstraps(cluster_);
    url.topic = topic;
    return url;
  }

  void set_down() {
    for (std::int32_t id = 1; id <= brokers_; ++id) {
      rd_kafka_mock_broker_set_down(cluster_, id);
    }
  }

  void set_up() {
    for (std::int32_t id = 1; id <= brokers_; ++id) {
      rd_kafka_mock_broker_set_up(cluster_, id);
    }
  }

  /// The next requests of kind `api` (the protocol's number) fail like this.
  void fail_next(
      std::int16_t api,
      const std::vector<rd_kafka_resp_err_t>& errors) {
    rd_kafka_mock_push_request_errors_array(
        cluster_, api, errors.size(), errors.data());
  }

  /// Every answer about `topic` says this; NO_ERROR ends it.
  void set_topic_error(const std::string& topic, rd_kafka_resp_err_t error) {
    rd_kafka_mock_topic_set_error(cluster_, topic.c_str(), error);
  }

  void move_leader(
      const std::string& topic,
      std::int32_t partition,
      std::int32_t broker) {
    rd_kafka_mock_partition_set_leader(
        cluster_, topic.c_str(), partition, broker);
  }

 private:
  int brokers_;
  rd_kafka_t* owner_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace swavd::ingest::testing
