#include "ingest/kafka/client_events.h"

#include <fmt/format.h>

#include "ops/base/log.h"

namespace swavd::ingest {

namespace {

ClientListener& listener_of(void* opaque) {
  return *static_cast<ClientListener*>(opaque);
}

void handle_error(rd_kafka_t*, int code, const char* text, void* opaque) {
  listener_of(opaque).on_client_error(
      static_cast<rd_kafka_resp_err_t>(code), text);
}

void handle_delivery(
    rd_kafka_t*,
    const rd_kafka_message_t* message,
    void* opaque) {
  listener_of(opaque).on_delivery(*message);
}

void handle_commit(
    rd_kafka_t*,
    rd_kafka_resp_err_t code,
    rd_kafka_topic_partition_list_t*,
    void* opaque) {
  listener_of(opaque).on_commit(code);
}

/// syslog(3) levels. A lost connection comes as 3 and is retried for ever:
/// whether it is an error is decided by who uses the client.
LogLevel level_of(int level) {
  if (level <= 2) {
    return LogLevel::kError;
  }
  if (level <= 4) {
    return LogLevel::kWarning;
  }
  return level <= 6 ? LogLevel::kInfo : LogLevel::kDebug;
}

void handle_log(
    const rd_kafka_t*,
    int level,
    const char* facility,
    const char* text) {
  // CONFWARN: a producer's property on a consumer and the like. One table of
  // [stream.client] serves both, so that is no news.
  const bool known = std::string_view(facility) == "CONFWARN";
  log(known ? LogLevel::kDebug : level_of(level),
      "kafka_client",
      text,
      {{"facility", facility}});
}

}  // namespace

void attach_listener(rd_kafka_conf_t& conf, ClientListener& listener) {
  rd_kafka_conf_set_opaque(&conf, &listener);
  rd_kafka_conf_set_error_cb(&conf, handle_error);
  rd_kafka_conf_set_dr_msg_cb(&conf, handle_delivery);
  rd_kafka_conf_set_offset_commit_cb(&conf, handle_commit);
  rd_kafka_conf_set_log_cb(&conf, handle_log);
}

ErrorCode code_of(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      return ErrorCode::kNotFound;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return ErrorCode::kInvalidArgument;
    case RD_KAFKA_RESP_ERR__DESTROY:
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
      return ErrorCode::kCancelled;
    default:
      return ErrorCode::kUnavailable;
  }
}

std::string_view reason_of(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
      return "stream_unavailable";
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
      return "broker_unreachable";
    case RD_KAFKA_RESP_ERR__RESOLVE:
      return "broker_unresolved";
    case RD_KAFKA_RESP_ERR__SSL:
      return "tls_failed";
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      return "authentication_failed";
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return "not_authorized";
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
      return "broker_timed_out";
    default:
      return "kafka_error";
  }
}

Error kafka_error(rd_kafka_resp_err_t code, std::string_view what) {
  return {
      code_of(code),
      fmt::format(
          "{}: {} ({})",
          what,
          rd_kafka_err2str(code),
          rd_kafka_err2name(code))};
}

}  // namespace swavd::ingest
