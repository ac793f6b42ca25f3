#pragma once

#include <string>
#include <string_view>

#include "ingest/kafka/handles.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// Receives what a librdkafka client reports. The calls come from the thread
/// that polls the client.
class ClientListener {
 public:
  ClientListener() = default;
  ClientListener(const ClientListener&) = delete;
  ClientListener& operator=(const ClientListener&) = delete;
  virtual ~ClientListener() = default;

  /// An error that the client goes on retrying.
  virtual void on_client_error(
      rd_kafka_resp_err_t code,
      std::string_view text) {
    (void)code;
    (void)text;
  }

  /// A produced message was acknowledged or has failed.
  virtual void on_delivery(const rd_kafka_message_t& message) { (void)message; }

  /// An offset commit came back.
  virtual void on_commit(rd_kafka_resp_err_t code) { (void)code; }
};

/// Registers `listener` (which must outlive the client) and the log bridge:
/// the client's lines become events "kafka_client" of swavd's own log.
void attach_listener(rd_kafka_conf_t& conf, ClientListener& listener);

/// What a client error means here: brokers out of reach, time-outs, refusals
/// and lost leaders are kUnavailable; an absent topic or partition kNotFound;
/// a message too large or an unknown property kInvalidArgument.
[[nodiscard]] ErrorCode code_of(rd_kafka_resp_err_t code);

/// The reason word of a client error, one of a few, for logs and metrics.
[[nodiscard]] std::string_view reason_of(rd_kafka_resp_err_t code);

/// The Error for a client error: "what: the client's words".
[[nodiscard]] Error kafka_error(
    rd_kafka_resp_err_t code,
    std::string_view what);

}  // namespace swavd::ingest
