#include "tests/ingest/real_kafka.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "ingest/kafka/handles.h"
#include "tests/services/outside.h"

namespace swavd::ingest::testing {

namespace {

constexpr int kAdminMs = 30000;

std::string jars() {
  return services::deps_folder() + "/kafka";
}

services::Ended service(const std::string& arguments, bool with_errors = true) {
  return services::run_service("kafka.py", arguments, with_errors);
}

/// A client for one administrative request, and the queue of its answer.
class Admin {
 public:
  explicit Admin(const std::string& bootstrap) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    std::array<char, 256> why{};
    rd_kafka_conf_set(
        conf, "bootstrap.servers", bootstrap.c_str(), why.data(), why.size());
    client_.reset(
        rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size()));
    queue_.reset(rd_kafka_queue_new(client_.get()));
  }

  rd_kafka_t* client() { return client_.get(); }

  rd_kafka_queue_t* queue() { return queue_.get(); }

  /// Waits for the answer.
  void expect_done(const std::string& what) {
    rd_kafka_event_t* event = rd_kafka_queue_poll(queue_.get(), kAdminMs);
    ASSERT_NE(event, nullptr) << what << ": no answer";
    EXPECT_EQ(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR)
        << what << ": " << rd_kafka_event_error_string(event);
    rd_kafka_event_destroy(event);
  }

 private:
  KafkaHandle client_;
  QueueHandle queue_;
};

}  // namespace

RealKafka::RealKafka(std::string folder, std::string bootstrap)
    : folder_(std::move(folder)),
      bootstrap_(std::move(bootstrap)) {}

std::unique_ptr<RealKafka> RealKafka::start(std::string& why) {
  if (!std::filesystem::exists(jars() + "/STAMP")) {
    why = "no Kafka in " + jars() + "; run: ops/setup/setup test";
    return nullptr;
  }
  std::string folder = ::testing::TempDir() + "kafkaXXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) {
    why = "no temporary folder";
    return nullptr;
  }
  const auto [text, ok] = service(
      "start --dir " + folder + " --partitions 4 --owner " +
          std::to_string(::getpid()),
      false);
  if (!ok) {
    ADD_FAILURE() << "the broker did not start: see " << folder;
    why = "the broker did not start";
    return nullptr;
  }
  const auto answer = nlohmann::json::parse(text);
  return std::unique_ptr<RealKafka>(
      new RealKafka(folder, answer.at("bootstrap").get<std::string>()));
}

RealKafka* RealKafka::shared(std::string& why) {
  static std::string reason;
  static const std::unique_ptr<RealKafka> broker = start(reason);
  why = reason;
  return broker.get();
}

RealKafka::~RealKafka() {
  (void)service("kill --dir " + folder_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

StreamUrl RealKafka::url(const std::string& topic) const {
  StreamUrl url;
  url.kind = StreamUrl::Kind::kKafka;
  url.brokers = bootstrap_;
  url.topic = topic;
  return url;
}

void RealKafka::command(const std::string& name) const {
  const auto [text, ok] = service(name + " --dir " + folder_);
  EXPECT_TRUE(ok) << name << ": " << text;
}

void RealKafka::create_topic(const std::string& topic, int partitions) {
  command(
      "create-topic --topic " + topic + " --partitions " +
      std::to_string(partitions));
}

void RealKafka::add_partitions(const std::string& topic, int partitions) {
  Admin admin(bootstrap_);
  std::array<char, 256> why{};
  rd_kafka_NewPartitions_t* request = rd_kafka_NewPartitions_new(
      topic.c_str(),
      static_cast<std::size_t>(partitions),
      why.data(),
      why.size());
  ASSERT_NE(request, nullptr) << why.data();
  rd_kafka_CreatePartitions(
      admin.client(), &request, 1, nullptr, admin.queue());
  rd_kafka_NewPartitions_destroy(request);
  admin.expect_done("add partitions to " + topic);
}

void RealKafka::delete_topic(const std::string& topic) {
  Admin admin(bootstrap_);
  rd_kafka_DeleteTopic_t* request = rd_kafka_DeleteTopic_new(topic.c_str());
  rd_kafka_DeleteTopics(admin.client(), &request, 1, nullptr, admin.queue());
  rd_kafka_DeleteTopic_destroy(request);
  admin.expect_done("delete topic " + topic);
}

void RealKafka::delete_records(
    const std::string& topic,
    std::int32_t partition,
    std::int64_t before) {
  Admin admin(bootstrap_);
  const PartitionsHandle list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)
      ->offset = before;
  rd_kafka_DeleteRecords_t* request = rd_kafka_DeleteRecords_new(list.get());
  rd_kafka_DeleteRecords(admin.client(), &request, 1, nullptr, admin.queue());
  rd_kafka_DeleteRecords_destroy(request);
  admin.expect_done("delete records of " + topic);
}

void RealKafka::kill() {
  command("kill");
}

void RealKafka::restart() {
  command("restart");
}

}  // namespace swavd::ingest::testing
