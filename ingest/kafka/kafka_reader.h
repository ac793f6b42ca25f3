#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ingest/kafka/client_config.h"
#include "ingest/kafka/kafka_query.h"
#include "ingest/kafka/ready_queues.h"
#include "ingest/kafka/wakeup.h"
#include "ingest/position.h"
#include "ingest/resume.h"
#include "ops/base/result.h"
#include "ops/base/stage.h"

namespace swavd::ingest {

/// Where a partition's reading begins.
struct ReadFrom {
  std::int32_t partition = 0;
  std::int64_t next = 0;
  std::vector<OffsetRange> done_above;  ///< left out
};

/// The consumer and its thread: fetches assigned partitions and hands copies
/// of their records to ReadyQueues, in the order of their offsets.
///
/// Each partition has a librdkafka queue of its own, which is polled only
/// while its ready queue has room; a full one makes the client stop fetching
/// that partition. Nothing is ever paused: a pause throws away what was
/// fetched.
class KafkaReader final : public ClientListener {
 public:
  /// Starts reading. `query` must outlive the reader. Errors:
  /// kInvalidArgument (client options), kUnavailable.
  [[nodiscard]] static Result<std::unique_ptr<KafkaReader>> start(
      const StreamUrl& url,
      const SourceOptions& options,
      KafkaQuery& query,
      const std::vector<ReadFrom>& from);

  /// Waits up to two seconds for offset commits under way.
  ~KafkaReader() override;

  ReadyQueues& ready() { return ready_; }

  /// Commits `next` of these positions under the run's group, in the
  /// background. Failures are logged. Thread-safe.
  void commit(const std::vector<Position>& positions);

  void on_client_error(rd_kafka_resp_err_t code, std::string_view text)
      override;
  void on_commit(rd_kafka_resp_err_t code) override;

 private:
  struct Slot {
    ReadFrom cursor;
    QueueHandle queue;
    bool lost = false;   // its offset is out of range: settle_gap is due
    bool ended = false;  // an error stands in its ready queue for good
  };

  KafkaReader(
      const StreamUrl& url,
      const SourceOptions& options,
      KafkaQuery& query,
      const std::vector<ReadFrom>& from);

  Status assign();
  void run(const std::stop_token& stop);
  void serve_client(std::chrono::milliseconds timeout);
  bool drain(std::size_t index);
  void take(std::size_t index, const rd_kafka_message_t& message);
  void take_error(std::size_t index, const rd_kafka_message_t& message);
  void check_deleted();
  bool settle_gap(std::size_t index);
  void end(std::size_t index, Error error);
  void begin_outage(std::string_view text);
  void probe_outage();
  void report(std::string_view reason, std::string_view text);
  void finish_commits();

  const std::string topic_;
  const std::string brokers_;
  const SourceOptions options_;
  KafkaQuery& query_;
  Wakeup wakeup_;
  ReadyQueues ready_;
  std::atomic<std::int64_t> commits_ = 0;  // under way
  bool outage_ = false;                    // of the thread
  bool suspect_ = false;  // of the thread: the topic may have been deleted
  std::chrono::steady_clock::time_point next_probe_;  // of the thread
  KafkaHandle client_;
  std::vector<Slot> slots_;
  TopicHandle handle_;
  std::unique_ptr<Stage> stage_;  // last: gone before what it uses
};

}  // namespace swavd::ingest
