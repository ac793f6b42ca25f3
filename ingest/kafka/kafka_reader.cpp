#include "ingest/kafka/kafka_reader.h"

#include <utility>

#include <fmt/format.h>

#include "ingest/kafka/message.h"
#include "ingest/kafka/reader_config.h"
#include "ops/base/log.h"

namespace swavd::ingest {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// The client's own events (errors, commits) are served at least this often;
// records ring the bell.
constexpr milliseconds kHeartbeat{100};
constexpr milliseconds kProbePause{500};
constexpr milliseconds kProbeAnswer{1000};
constexpr milliseconds kLastCommits{2000};
constexpr int kDrainAtOnce = 256;

std::vector<std::int32_t> partitions_of(const std::vector<ReadFrom>& from) {
  std::vector<std::int32_t> partitions;
  for (const ReadFrom& each : from) {
    partitions.push_back(each.partition);
  }
  return partitions;
}

void ring(rd_kafka_t*, void* opaque) {
  static_cast<Wakeup*>(opaque)->ring();
}

}  // namespace

KafkaReader::KafkaReader(
    const StreamUrl& url,
    const SourceOptions& options,
    KafkaQuery& query,
    const std::vector<ReadFrom>& from)
    : topic_(url.topic),
      brokers_(url.brokers),
      options_(options),
      query_(query),
      ready_(
          partitions_of(from),
          share_prefetch(options.prefetch_bytes, from.size()).ready_bytes,
          [this] { wakeup_.ring(); }) {
  for (const ReadFrom& each : from) {
    slots_.push_back({each, nullptr, false, false});
  }
}

Result<std::unique_ptr<KafkaReader>> KafkaReader::start(
    const StreamUrl& url,
    const SourceOptions& options,
    KafkaQuery& query,
    const std::vector<ReadFrom>& from) {
  std::unique_ptr<KafkaReader> reader(
      new KafkaReader(url, options, query, from));
  const auto share = share_prefetch(options.prefetch_bytes, from.size());
  auto client = make_client(
      RD_KAFKA_CONSUMER,
      reader_properties(url, options, share.client_bytes),
      *reader);
  if (!client.ok()) {
    return client.error();
  }
  reader->client_ = std::move(client).value();
  rd_kafka_t* raw = reader->client_.get();
  rd_kafka_poll_set_consumer(raw);
  reader->handle_.reset(rd_kafka_topic_new(raw, url.topic.c_str(), nullptr));
  for (Slot& slot : reader->slots_) {
    slot.queue.reset(rd_kafka_queue_get_partition(
        raw, url.topic.c_str(), slot.cursor.partition));
    // Apart from the consumer's common queue, and before the first fetch.
    rd_kafka_queue_forward(slot.queue.get(), nullptr);
    rd_kafka_queue_cb_event_enable(slot.queue.get(), ring, &reader->wakeup_);
  }
  SWAVD_RETURN_IF_ERROR(reader->assign());
  reader->stage_ = std::make_unique<Stage>(
      "kafka-read",
      [self = reader.get()](const std::stop_token& stop) { self->run(stop); });
  return reader;
}

KafkaReader::~KafkaReader() {
  stage_.reset();
  if (client_ == nullptr) {
    return;
  }
  // An operation left in a partition's own queue holds its partition, which
  // holds the queue: librdkafka 2.0.2 then never ends (seen with a deleted
  // topic). Unassigned and forwarded, the common queue takes it away.
  rd_kafka_assign(client_.get(), nullptr);
  const QueueHandle common(rd_kafka_queue_get_consumer(client_.get()));
  for (Slot& slot : slots_) {
    rd_kafka_queue_cb_event_enable(slot.queue.get(), nullptr, nullptr);
    rd_kafka_queue_forward(slot.queue.get(), common.get());
  }
}

Status KafkaReader::assign() {
  const PartitionsHandle list(
      rd_kafka_topic_partition_list_new(static_cast<int>(slots_.size())));
  for (const Slot& slot : slots_) {
    if (!slot.ended) {
      rd_kafka_topic_partition_list_add(
          list.get(), topic_.c_str(), slot.cursor.partition)
          ->offset = slot.cursor.next;
    }
  }
  const auto code = rd_kafka_assign(client_.get(), list.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return kafka_error(code, "assign partitions of " + topic_);
  }
  return ok_status();
}

void KafkaReader::run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { wakeup_.ring(); });
  while (!stop.stop_requested()) {
    serve_client(milliseconds(0));
    bool moved = false;
    if (std::exchange(suspect_, false)) {
      check_deleted();
    }
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      moved = drain(i) || moved;
    }
    if (!moved) {
      probe_outage();
      wakeup_.wait_for(kHeartbeat);
    }
  }
  finish_commits();
}

void KafkaReader::serve_client(milliseconds timeout) {
  const MessageHandle message(
      rd_kafka_consumer_poll(client_.get(), static_cast<int>(timeout.count())));
  if (message == nullptr || message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    return;
  }
  // Some errors of a partition come here, not to its own queue.
  for (std::size_t i = 0; message->rkt != nullptr && i < slots_.size(); ++i) {
    if (slots_[i].cursor.partition == message->partition) {
      take_error(i, *message);
      return;
    }
  }
  on_client_error(message->err, rd_kafka_message_errstr(message.get()));
}

bool KafkaReader::drain(std::size_t index) {
  Slot& slot = slots_[index];
  if (slot.ended || (slot.lost && !settle_gap(index))) {
    return false;
  }
  int taken = 0;
  while (taken < kDrainAtOnce && !slot.lost && !slot.ended &&
         ready_.has_room(index)) {
    const MessageHandle message(rd_kafka_consume_queue(slot.queue.get(), 0));
    if (message == nullptr) {
      break;
    }
    ++taken;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      take(index, *message);
    } else {
      take_error(index, *message);
    }
  }
  return taken > 0;
}

void KafkaReader::take(std::size_t index, const rd_kafka_message_t& message) {
  ReadFrom& cursor = slots_[index].cursor;
  // A fetch may begin with records of the same batch that lie before the
  // offset that was asked for.
  if (message.offset < cursor.next) {
    return;
  }
  cursor.next = message.offset + 1;
  if (!holds(cursor.done_above, message.offset)) {
    ready_.push(
        index,
        {cursor.partition, to_record(message), std::nullopt, std::nullopt});
  }
}

void KafkaReader::take_error(
    std::size_t index,
    const rd_kafka_message_t& message) {
  const std::string what = fmt::format(
      "partition {} of {} at offset {}",
      slots_[index].cursor.partition,
      topic_,
      slots_[index].cursor.next);
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      slots_[index].lost = true;
      return;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      suspect_ = true;
      return;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      end(index,
          kafka_error(message.err, what)
              .with_context(
                  "raise fetch.max.bytes and receive.message.max.bytes in "
                  "[stream.client]"));
      return;
    default:
      report(
          reason_of(message.err),
          fmt::format("{}: {}", what, rd_kafka_message_errstr(&message)));
  }
}

/// The client says so of a topic for a moment where a broker has just started:
/// only when the answer to a question of our own is the same, it is gone. Where
/// it is not, the partitions are assigned anew, for the client may have dropped
/// them.
void KafkaReader::check_deleted() {
  std::vector<std::int32_t> partitions;
  for (const Slot& slot : slots_) {
    if (!slot.ended) {
      partitions.push_back(slot.cursor.partition);
    }
  }
  const auto bounds = query_.bounds(partitions);
  if (!bounds.ok() && bounds.error().code != ErrorCode::kNotFound) {
    begin_outage(bounds.error().message);
    suspect_ = true;  // not settled: ask again
    return;
  }
  for (std::size_t i = 0; !bounds.ok() && i < slots_.size(); ++i) {
    if (!slots_[i].ended) {
      end(i,
          {ErrorCode::kNotFound,
           fmt::format(
               "partition {} of {} at offset {}: the topic was deleted; make "
               "the run read another, or start a new run (--new-run)",
               slots_[i].cursor.partition,
               topic_,
               slots_[i].cursor.next)});
    }
  }
  if (const Status status = assign(); !status.ok()) {
    report("kafka_error", status.error().message);
  }
}

/// Decides what becomes of a partition whose offset is out of range. False
/// when the brokers could not be asked yet.
bool KafkaReader::settle_gap(std::size_t index) {
  Slot& slot = slots_[index];
  const auto bounds = query_.bounds({slot.cursor.partition});
  if (!bounds.ok()) {
    begin_outage(bounds.error().message);
    return false;
  }
  Position position;
  position.topic = topic_;
  position.partition = slot.cursor.partition;
  position.next = slot.cursor.next;
  position.done_above = slot.cursor.done_above;
  const auto plan = plan_resume(
      position,
      bounds.value().front(),
      options_.jump_gaps ? OnGap::kJump : OnGap::kStop);
  if (!plan.ok()) {
    end(index, plan.error());
    return false;
  }
  if (plan.value().gap) {
    ready_.push(
        index, {slot.cursor.partition, {}, plan.value().gap, std::nullopt});
  }
  slot.cursor.next = plan.value().from;
  slot.lost = false;
  // The client gave this partition up: only a new assignment starts it again.
  if (const Status status = assign(); !status.ok()) {
    end(index, status.error());
    return false;
  }
  return true;
}

void KafkaReader::end(std::size_t index, Error error) {
  slots_[index].ended = true;
  ready_.push(
      index,
      {slots_[index].cursor.partition, {}, std::nullopt, std::move(error)});
}

void KafkaReader::on_client_error(
    rd_kafka_resp_err_t code,
    std::string_view text) {
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    begin_outage(text);
    return;
  }
  if (code_of(code) == ErrorCode::kNotFound) {
    suspect_ = true;  // comes again and again: told once it is certain
    return;
  }
  report(reason_of(code), text);
}

void KafkaReader::begin_outage(std::string_view text) {
  if (outage_) {
    return;
  }
  outage_ = true;
  next_probe_ = steady_clock::now() + kProbePause;
  report("stream_unavailable", fmt::format("{}: {}", brokers_, text));
  ready_.tell({ErrorCode::kUnavailable, fmt::format("{}: {}", brokers_, text)});
}

/// librdkafka says when all brokers are lost, not when one is back.
void KafkaReader::probe_outage() {
  if (!outage_ || steady_clock::now() < next_probe_) {
    return;
  }
  const rd_kafka_metadata_t* raw = nullptr;
  const auto code = rd_kafka_metadata(
      client_.get(),
      0,
      handle_.get(),
      &raw,
      static_cast<int>(kProbeAnswer.count()));
  const MetadataHandle answer(raw);
  next_probe_ = steady_clock::now() + kProbePause;
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
    outage_ = false;
    log(LogLevel::kInfo,
        "stream_back",
        "the brokers answer again",
        {{"brokers", brokers_}});
  }
}

void KafkaReader::report(std::string_view reason, std::string_view text) {
  log(LogLevel::kWarning, reason, text, {{"topic", topic_}});
  if (options_.events.on_error) {
    options_.events.on_error(reason, text);
  }
}

void KafkaReader::commit(const std::vector<Position>& positions) {
  const PartitionsHandle list(
      rd_kafka_topic_partition_list_new(static_cast<int>(positions.size())));
  for (const Position& position : positions) {
    if (position.topic == topic_) {
      rd_kafka_topic_partition_list_add(
          list.get(), topic_.c_str(), position.partition)
          ->offset = position.next;
    }
  }
  if (list->cnt == 0) {
    return;
  }
  commits_.fetch_add(1);
  const auto code = rd_kafka_commit(client_.get(), list.get(), /*async=*/1);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    on_commit(code);
  }
}

void KafkaReader::on_commit(rd_kafka_resp_err_t code) {
  commits_.fetch_sub(1);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    log(LogLevel::kWarning,
        "offset_commit_failed",
        "lag tools will see an older position; the run does not depend on it",
        {{"topic", topic_}, {"error", rd_kafka_err2str(code)}});
  }
}

void KafkaReader::finish_commits() {
  const auto deadline = steady_clock::now() + kLastCommits;
  while (commits_.load() > 0 && steady_clock::now() < deadline) {
    serve_client(kHeartbeat);
  }
}

}  // namespace swavd::ingest
