#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "ingest/kafka/client_config.h"
#include "ingest/sink.h"
#include "ingest/streams.h"
#include "ops/base/mutex.h"
#include "ops/base/stage.h"

namespace swavd::ingest {

/// A Kafka topic as a Sink. See `open_kafka_sink`.
///
/// The producer is idempotent and retries for ever, so that an outage of the
/// brokers blocks publishers instead of losing what they published. A
/// record's bytes stay here, uncopied, until it is acknowledged.
class KafkaSink final : public Sink, public ClientListener {
 public:
  /// Errors: see `open_kafka_sink`.
  [[nodiscard]] static Result<std::unique_ptr<Sink>> open(
      const StreamUrl& url,
      const SinkOptions& options);

  ~KafkaSink() override;

  Status publish(OutRecord record) override;
  Status flush(std::chrono::milliseconds timeout) override;
  void close() override;

  void on_client_error(rd_kafka_resp_err_t code, std::string_view text)
      override;
  void on_delivery(const rd_kafka_message_t& message) override;

 private:
  struct InFlight {
    OutRecord record;
    std::uint64_t bytes = 0;
  };

  KafkaSink(const StreamUrl& url, const SinkOptions& options);

  Status check_size(const OutRecord& record) const;
  Result<std::uint64_t> admit(OutRecord record) SWAVD_EXCLUDES(mutex_);
  Status produce(std::uint64_t number) SWAVD_EXCLUDES(mutex_);
  rd_kafka_resp_err_t hand_over(const OutRecord& record, std::uint64_t number);
  std::optional<OutRecord> finish(std::uint64_t number) SWAVD_EXCLUDES(mutex_);
  void report(std::string_view reason, std::string_view text);

  const StreamUrl url_;
  const SinkOptions options_;
  mutable Mutex mutex_;
  CondVar changed_;
  // Published and not yet acknowledged, by number, in order of publishing.
  // Declared before the client, which borrows their bytes.
  std::map<std::uint64_t, InFlight> in_flight_ SWAVD_GUARDED_BY(mutex_);
  std::uint64_t next_number_ SWAVD_GUARDED_BY(mutex_) = 1;
  std::uint64_t bytes_ SWAVD_GUARDED_BY(mutex_) = 0;
  std::optional<Error> failure_ SWAVD_GUARDED_BY(mutex_);
  bool outage_ SWAVD_GUARDED_BY(mutex_) = false;
  bool closed_ SWAVD_GUARDED_BY(mutex_) = false;
  KafkaHandle client_;
  TopicHandle topic_;
  std::unique_ptr<Stage> stage_;  // last: gone before what it uses
};

}  // namespace swavd::ingest
