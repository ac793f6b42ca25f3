#include "ingest/kafka/kafka_sink.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "ingest/kafka/kafka_query.h"
#include "ingest/kafka/kafka_stream.h"
#include "ingest/kafka/message.h"
#include "ops/base/log.h"

namespace swavd::ingest {

namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kMiB = 1ULL << 20U;
// Key and headers of a record, counted generously.
constexpr std::uint64_t kRecordOverhead = 64ULL << 10U;
constexpr std::uint64_t kLargestMessage = 1000000000;    // librdkafka's limit
constexpr std::uint64_t kLargestBuffer = 2147483647ULL;  // in KiB, likewise
constexpr int kServeMs = 100;

ClientProperties sink_properties(
    const StreamUrl& url,
    const SinkOptions& options) {
  const std::uint64_t message =
      std::min(options.max_record_bytes + kRecordOverhead, kLargestMessage);
  // Publishers are held back by our own count; the client's bound lies above
  // it and always admits a largest record.
  const std::uint64_t buffer_kib = std::min(
      (options.buffer_bytes + 2 * message + 16 * kMiB) / 1024, kLargestBuffer);
  return {
      {
          {"client.id", "swavd"},
          // Batches stay below what a broker takes by default, 1 MiB.
          {"linger.ms", "20"},
          // As the Java client's: a key finds its partition from either.
          {"partitioner", "murmur2_random"},
          {"reconnect.backoff.max.ms", "2000"},
          {"log.connection.close", "false"},
          {"socket.nagle.disable", "true"},
      },
      {
          {"bootstrap.servers", url.brokers},
          {"enable.idempotence", "true"},
          {"acks", "all"},
          {"compression.type", "none"},
          {"message.timeout.ms", "0"},
          {"message.max.bytes", std::to_string(message)},
          {"queue.buffering.max.kbytes", std::to_string(buffer_kib)},
      },
      options.client};
}

std::uint64_t size_of(const OutRecord& record) {
  std::uint64_t bytes = record.payload.size() + record.key.size();
  for (const auto& [name, value] : record.headers) {
    bytes += name.size() + value.size();
  }
  return bytes;
}

void* as_opaque(std::uint64_t number) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(number));
}

}  // namespace

KafkaSink::KafkaSink(const StreamUrl& url, const SinkOptions& options)
    : url_(url),
      options_(options) {}

Result<std::unique_ptr<Sink>> KafkaSink::open(
    const StreamUrl& url,
    const SinkOptions& options) {
  std::unique_ptr<KafkaSink> sink(new KafkaSink(url, options));
  auto client =
      make_client(RD_KAFKA_PRODUCER, sink_properties(url, options), *sink);
  if (!client.ok()) {
    return client.error();
  }
  sink->client_ = std::move(client).value();
  const auto partitions = ask_partitions(*sink->client_, url.topic);
  if (!partitions.ok()) {
    return partitions.error().with_context(url.brokers);
  }
  sink->topic_.reset(
      rd_kafka_topic_new(sink->client_.get(), url.topic.c_str(), nullptr));
  if (sink->topic_ == nullptr) {
    return kafka_error(rd_kafka_last_error(), "open topic " + url.topic);
  }
  sink->stage_ = std::make_unique<Stage>(
      "kafka-deliver", [raw = sink.get()](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          rd_kafka_poll(raw->client_.get(), kServeMs);
        }
      });
  return std::unique_ptr<Sink>(std::move(sink));
}

KafkaSink::~KafkaSink() {
  stage_.reset();
  if (client_ != nullptr) {
    // What was not flushed was not promised; its bytes go with this object.
    rd_kafka_purge(
        client_.get(),
        RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
            RD_KAFKA_PURGE_F_NON_BLOCKING);
  }
}

Status KafkaSink::check_size(const OutRecord& record) const {
  if (record.payload.size() > options_.max_record_bytes) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "record of {} bytes: {} takes at most {}",
            record.payload.size(),
            to_string(url_),
            options_.max_record_bytes)};
  }
  if (size_of(record) - record.payload.size() > kRecordOverhead) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "key and headers of {} bytes: at most {} are taken",
            size_of(record) - record.payload.size(),
            kRecordOverhead)};
  }
  return ok_status();
}

/// Waits for room and registers the record; gives its number.
Result<std::uint64_t> KafkaSink::admit(OutRecord record) {
  const std::uint64_t bytes = size_of(record);
  const MutexLock lock(mutex_);
  changed_.wait(mutex_, [this, bytes]() SWAVD_REQUIRES(mutex_) {
    return closed_ || bytes_ == 0 || bytes_ + bytes <= options_.buffer_bytes;
  });
  if (closed_) {
    return Error{ErrorCode::kCancelled, to_string(url_) + " was closed"};
  }
  const std::uint64_t number = next_number_++;
  bytes_ += bytes;
  in_flight_.emplace(number, InFlight{std::move(record), bytes});
  return number;
}

rd_kafka_resp_err_t KafkaSink::hand_over(
    const OutRecord& record,
    std::uint64_t number) {
  HeadersHandle headers = to_headers(record.headers);
  std::array<rd_kafka_vu_t, 7> fields{};
  std::size_t count = 0;
  fields[count].vtype = RD_KAFKA_VTYPE_RKT;
  fields[count++].u.rkt = topic_.get();
  fields[count].vtype = RD_KAFKA_VTYPE_VALUE;
  fields[count].u.mem.ptr = const_cast<std::uint8_t*>(record.payload.data());
  fields[count++].u.mem.size = record.payload.size();
  fields[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
  fields[count++].u.ptr = as_opaque(number);
  // No copy: the bytes stay in `in_flight_` until the delivery report.
  fields[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  fields[count++].u.i = 0;
  if (!record.key.empty()) {
    fields[count].vtype = RD_KAFKA_VTYPE_KEY;
    fields[count].u.mem.ptr = const_cast<char*>(record.key.data());
    fields[count++].u.mem.size = record.key.size();
  }
  if (record.timestamp_ms >= 0) {
    fields[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    fields[count++].u.i64 = record.timestamp_ms;
  }
  if (headers != nullptr) {
    fields[count].vtype = RD_KAFKA_VTYPE_HEADERS;
    fields[count++].u.headers = headers.get();
  }
  const ErrorHandle error(
      rd_kafka_produceva(client_.get(), fields.data(), count));
  if (error != nullptr) {
    return rd_kafka_error_code(error.get());
  }
  (void)headers.release();  // the message owns them now
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

Status KafkaSink::produce(std::uint64_t number) {
  while (true) {
    const OutRecord* record = nullptr;
    {
      const MutexLock lock(mutex_);
      if (closed_) {
        return Error{ErrorCode::kCancelled, to_string(url_) + " was closed"};
      }
      record = &in_flight_.at(number).record;  // stays put: a map's node
    }
    const rd_kafka_resp_err_t code = hand_over(*record, number);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      return ok_status();
    }
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      return kafka_error(code, "publish to " + to_string(url_));
    }
    // Only a great number of tiny records gets here: by count, not by bytes.
    const MutexLock lock(mutex_);
    const std::size_t before = in_flight_.size();
    changed_.wait(mutex_, [this, before]() SWAVD_REQUIRES(mutex_) {
      return closed_ || in_flight_.size() < before;
    });
  }
}

Status KafkaSink::publish(OutRecord record) {
  SWAVD_RETURN_IF_ERROR(check_size(record));
  const auto number = admit(std::move(record));
  if (!number.ok()) {
    return number.error();
  }
  const Status status = produce(number.value());
  if (!status.ok()) {
    (void)finish(number.value());
  }
  return status;
}

std::optional<OutRecord> KafkaSink::finish(std::uint64_t number) {
  std::optional<OutRecord> record;
  {
    const MutexLock lock(mutex_);
    const auto found = in_flight_.find(number);
    if (found == in_flight_.end()) {
      return record;
    }
    bytes_ -= found->second.bytes;
    record = std::move(found->second.record);
    in_flight_.erase(found);
  }
  changed_.notify_all();
  return record;
}

void KafkaSink::on_delivery(const rd_kafka_message_t& message) {
  const auto number = static_cast<std::uint64_t>(
      reinterpret_cast<std::uintptr_t>(message._private));
  const bool failed = message.err != RD_KAFKA_RESP_ERR_NO_ERROR;
  {
    const MutexLock lock(mutex_);
    outage_ = outage_ && failed;
    if (failed && !failure_) {
      const auto found = in_flight_.find(number);
      failure_ = kafka_error(
          message.err,
          fmt::format(
              "publish a record of {} bytes to {}",
              found == in_flight_.end() ? 0
                                        : found->second.record.payload.size(),
              to_string(url_)));
    }
  }
  // The failure is there before the record counts as finished, so that a
  // flush that waits for it sees it.
  (void)finish(number);
  if (failed) {
    report("publish_failed", rd_kafka_err2str(message.err));
  }
}

void KafkaSink::on_client_error(
    rd_kafka_resp_err_t code,
    std::string_view text) {
  if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    report(reason_of(code), text);
    return;
  }
  bool news = false;
  {
    const MutexLock lock(mutex_);
    news = !std::exchange(outage_, true);
  }
  if (news) {
    report("stream_unavailable", text);
  }
}

Status KafkaSink::flush(milliseconds timeout) {
  std::optional<Error> failure;
  std::size_t waiting = 0;
  {
    const MutexLock lock(mutex_);
    const std::uint64_t end = next_number_;
    (void)changed_.wait_for(
        mutex_, timeout, [this, end]() SWAVD_REQUIRES(mutex_) {
          return in_flight_.empty() || in_flight_.begin()->first >= end;
        });
    failure = std::exchange(failure_, std::nullopt);
    waiting = static_cast<std::size_t>(
        std::distance(in_flight_.begin(), in_flight_.lower_bound(end)));
  }
  if (failure) {
    return *failure;
  }
  if (waiting > 0) {
    return Error{
        ErrorCode::kUnavailable,
        fmt::format(
            "{}: {} records not acknowledged within {} ms",
            to_string(url_),
            waiting,
            timeout.count())};
  }
  return ok_status();
}

void KafkaSink::close() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

void KafkaSink::report(std::string_view reason, std::string_view text) {
  log(LogLevel::kWarning, reason, text, {{"stream", to_string(url_)}});
  if (options_.events.on_error) {
    options_.events.on_error(reason, text);
  }
}

Result<std::unique_ptr<Sink>> open_kafka_sink(
    const StreamUrl& url,
    const SinkOptions& options) {
  return KafkaSink::open(url, options);
}

}  // namespace swavd::ingest
