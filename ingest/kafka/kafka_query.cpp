#include "ingest/kafka/kafka_query.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "ingest/kafka/message.h"
#include "ingest/kafka/reader_config.h"

namespace swavd::ingest {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kAnswer{10000};   // for one request
constexpr milliseconds kCreation{5000};  // for a topic to get its leaders
constexpr milliseconds kReading{30000};  // for all fingerprints
constexpr milliseconds kPause{100};
// Times that the protocol's request for offsets knows.
constexpr std::int64_t kEarliest = -2;
constexpr std::int64_t kLatest = -1;

int as_int(milliseconds time) {
  return static_cast<int>(time.count());
}

Error no_topic(const std::string& topic) {
  return {
      ErrorCode::kNotFound,
      fmt::format(
          "topic {} does not exist and the brokers do not create it: create "
          "it, for example with kafka-topics --create --topic {} --partitions "
          "8",
          topic,
          topic)};
}

/// What a metadata answer says: partitions, an error, or nullopt: ask again.
std::optional<Result<std::vector<std::int32_t>>> read_answer(
    const rd_kafka_metadata_t& answer,
    const std::string& topic) {
  if (answer.topic_cnt != 1) {
    return no_topic(topic);
  }
  const rd_kafka_metadata_topic_t& found = answer.topics[0];
  if (found.err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
    return std::nullopt;
  }
  if (found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
    return no_topic(topic);
  }
  if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return kafka_error(found.err, "topic " + topic);
  }
  std::vector<std::int32_t> partitions;
  for (int i = 0; i < found.partition_cnt; ++i) {
    if (found.partitions[i].leader < 0) {
      return std::nullopt;
    }
    partitions.push_back(found.partitions[i].id);
  }
  std::sort(partitions.begin(), partitions.end());
  return partitions;
}

/// A leader is being chosen, the client knows the one before, or a broker that
/// has just started does not know yet what is there.
bool may_pass(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
         code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
         code == RD_KAFKA_RESP_ERR__WAIT_CACHE ||
         code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
         code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
         code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

/// A topic that the broker is just creating is unknown for a moment.
bool may_come(
    const std::optional<Result<std::vector<std::int32_t>>>& outcome,
    rd_kafka_t& client) {
  if (!outcome) {
    return true;
  }
  return rd_kafka_type(&client) == RD_KAFKA_PRODUCER && !outcome->ok() &&
         outcome->error().code == ErrorCode::kNotFound;
}

PartitionsHandle partition_list(
    const std::string& topic,
    const std::map<std::int32_t, std::int64_t>& offsets) {
  PartitionsHandle list(
      rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size())));
  for (const auto& [partition, offset] : offsets) {
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)
        ->offset = offset;
  }
  return list;
}

using Offsets = std::map<std::int32_t, std::int64_t>;

/// Why a partition has no offset yet.
struct Failure {
  std::int32_t partition = 0;
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
};

using Unanswered = std::optional<Failure>;

/// One offset of each partition, `time` being kEarliest or kLatest.
/// Not by rd_kafka_query_watermark_offsets: when the answer about the beginning
/// is an error and that about the end is served in the same turn, librdkafka
/// 2.0.2 forgets the error and tells the end twice, and all records between
/// look as if retention had taken them.
Unanswered ask_offsets(
    rd_kafka_t& client,
    const std::string& topic,
    const std::vector<std::int32_t>& partitions,
    std::int64_t time,
    Offsets& offsets) {
  if (partitions.empty()) {
    return std::nullopt;
  }
  Offsets times;
  for (const std::int32_t partition : partitions) {
    times[partition] = time;
  }
  const PartitionsHandle list = partition_list(topic, times);
  const auto code =
      rd_kafka_offsets_for_times(&client, list.get(), as_int(kAnswer));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return Failure{partitions.front(), code};
  }
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_topic_partition_t& each = list->elems[i];
    if (each.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return Failure{each.partition, each.err};
    }
    // Still what was asked: the answer left it out.
    if (each.offset < 0) {
      return Failure{each.partition, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE};
    }
    offsets[each.partition] = each.offset;
  }
  return std::nullopt;
}

/// Ends an assignment on every way out.
class Assignment {
 public:
  explicit Assignment(rd_kafka_t& client) : client_(client) {}

  Assignment(const Assignment&) = delete;
  Assignment& operator=(const Assignment&) = delete;

  ~Assignment() { rd_kafka_assign(&client_, nullptr); }

 private:
  rd_kafka_t& client_;
};

}  // namespace

Result<std::vector<std::int32_t>> ask_partitions(
    rd_kafka_t& client,
    const std::string& topic) {
  const TopicHandle handle(rd_kafka_topic_new(&client, topic.c_str(), nullptr));
  const auto deadline = steady_clock::now() + kCreation;
  while (true) {
    const rd_kafka_metadata_t* raw = nullptr;
    const auto code =
        rd_kafka_metadata(&client, 0, handle.get(), &raw, as_int(kAnswer));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return kafka_error(code, "ask the brokers for topic " + topic);
    }
    const MetadataHandle answer(raw);
    auto outcome = read_answer(*answer, topic);
    if (!may_come(outcome, client)) {
      return *std::move(outcome);
    }
    if (steady_clock::now() >= deadline) {
      return outcome
                 ? *std::move(outcome)
                 : Result<std::vector<std::int32_t>>(Error{
                       ErrorCode::kUnavailable,
                       fmt::format(
                           "a partition of topic {} has no leader", topic)});
    }
    rd_kafka_poll(&client, as_int(kPause));
  }
}

Result<std::unique_ptr<KafkaQuery>> KafkaQuery::open(
    const StreamUrl& url,
    const SourceOptions& options) {
  std::unique_ptr<KafkaQuery> query(new KafkaQuery(url.topic, url.brokers));
  auto client = make_client(
      RD_KAFKA_CONSUMER, query_properties(url, options), query->listener_);
  if (!client.ok()) {
    return client.error();
  }
  query->client_ = std::move(client).value();
  rd_kafka_poll_set_consumer(query->client_.get());
  return query;
}

Result<std::string> KafkaQuery::cluster_id() {
  char* raw = rd_kafka_clusterid(client_.get(), as_int(kAnswer));
  if (raw == nullptr) {
    return Error{
        ErrorCode::kUnavailable,
        "the brokers at " + brokers_ + " tell no cluster id"};
  }
  std::string id(raw);
  rd_kafka_mem_free(client_.get(), raw);
  return id;
}

Result<std::vector<PartitionBounds>> KafkaQuery::bounds(
    const std::vector<std::int32_t>& partitions) {
  const auto deadline = steady_clock::now() + kCreation;
  while (true) {
    // The beginnings first: no end that is told later lies before them.
    Offsets begins;
    Offsets ends;
    Unanswered failed =
        ask_offsets(*client_, topic_, partitions, kEarliest, begins);
    if (!failed) {
      failed = ask_offsets(*client_, topic_, partitions, kLatest, ends);
    }
    if (!failed) {
      std::vector<PartitionBounds> all;
      for (const std::int32_t partition : partitions) {
        all.push_back({partition, begins.at(partition), ends.at(partition)});
      }
      return all;
    }
    if (!may_pass(failed->code) || steady_clock::now() >= deadline) {
      return kafka_error(
          failed->code,
          fmt::format("offsets of {} partition {}", topic_, failed->partition));
    }
    rd_kafka_poll(client_.get(), as_int(kPause));
  }
}

Result<std::vector<PartitionBounds>> KafkaQuery::all_bounds() {
  const auto partitions = ask_partitions(*client_, topic_);
  if (!partitions.ok()) {
    return partitions.error().with_context(brokers_);
  }
  auto all = bounds(partitions.value());
  if (!all.ok()) {
    return all.error().with_context(brokers_);
  }
  return all;
}

Result<std::vector<PartitionBounds>> KafkaQuery::bounds_since(
    std::int64_t time_ms) {
  auto all = all_bounds();
  if (!all.ok()) {
    return all;
  }
  std::map<std::int32_t, std::int64_t> times;
  for (const PartitionBounds& each : all.value()) {
    times[each.partition] = time_ms;
  }
  const PartitionsHandle list = partition_list(topic_, times);
  const auto code =
      rd_kafka_offsets_for_times(client_.get(), list.get(), as_int(kAnswer));
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return kafka_error(code, "offsets of " + topic_ + " for a time");
  }
  for (PartitionBounds& each : all.value()) {
    const auto* found = rd_kafka_topic_partition_list_find(
        list.get(), topic_.c_str(), each.partition);
    if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return kafka_error(found->err, "offsets of " + topic_ + " for a time");
    }
    // Negative: no record is that young.
    each.begin = found->offset < 0 ? each.end : found->offset;
  }
  return all;
}

Result<std::map<std::int32_t, Record>> KafkaQuery::read_at(
    const std::map<std::int32_t, std::int64_t>& offsets) {
  std::map<std::int32_t, Record> records;
  if (offsets.empty()) {
    return records;
  }
  const PartitionsHandle list = partition_list(topic_, offsets);
  const auto code = rd_kafka_assign(client_.get(), list.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return kafka_error(code, "read fingerprints of " + topic_);
  }
  const Assignment assignment(*client_);
  const auto deadline = steady_clock::now() + kReading;
  std::set<std::int32_t> answered;
  while (answered.size() < offsets.size()) {
    if (steady_clock::now() >= deadline) {
      return Error{
          ErrorCode::kUnavailable,
          fmt::format(
              "{}: the last consumed records of {} could not be read within "
              "{} s",
              brokers_,
              topic_,
              kReading.count() / 1000)};
    }
    const MessageHandle message(
        rd_kafka_consumer_poll(client_.get(), as_int(kPause)));
    const bool answers = message != nullptr &&
                         (message->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
                          message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
                          message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET);
    if (!answers || !answered.insert(message->partition).second) {
      continue;
    }
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
        message->offset == offsets.at(message->partition)) {
      records.emplace(message->partition, to_record(*message));
    }
  }
  return records;
}

}  // namespace swavd::ingest
