#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/sink.h"
#include "ingest/source.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// A parsed STREAM argument.
struct StreamUrl {
  enum class Kind { kKafka, kLog };
  Kind kind = Kind::kLog;
  std::string brokers;  ///< "HOST:PORT[,HOST:PORT…]", for kKafka
  std::string folder;   ///< absolute, for kLog
  std::string topic;
};

/// Parses "kafka://HOST:PORT[,HOST:PORT…]/TOPIC" or "log:///FOLDER/TOPIC".
/// Errors: kInvalidArgument saying what is wrong and what a right one is.
[[nodiscard]] Result<StreamUrl> parse_stream_url(std::string_view text);

/// The text `parse_stream_url` reads.
[[nodiscard]] std::string to_string(const StreamUrl& url);

/// What a source or sink reports to the outside while it works.
struct StreamEvents {
  /// (reason word, text) of an error that was retried or survived.
  std::function<void(std::string_view, std::string_view)> on_error;
};

struct SourceOptions {
  std::string run = "main";  ///< names the reader (Kafka group, file)
  std::int32_t rank = 0;     ///< partition p is read when p % world == rank
  std::int32_t world = 1;    ///< at least 1
  std::uint64_t prefetch_bytes = 256ULL << 20U;  ///< held ahead of the poller
  std::uint64_t max_record_bytes = 16ULL << 20U;
  bool jump_gaps = false;  ///< stream.on_gap = "jump"; see on_gap
  /// Called from the polling thread when a gap was jumped.
  std::function<
      void(std::int32_t partition, std::int64_t from, std::int64_t to)>
      on_gap;
  std::map<std::string, std::string> client;  ///< [stream.client], Kafka only
  StreamEvents events;
};

struct SinkOptions {
  std::uint64_t max_record_bytes = 16ULL << 20U;
  std::uint64_t buffer_bytes = 64ULL << 20U;  ///< unacknowledged at most
  /// Writers of an embedded stream stay within this many records of the
  /// slowest reader; 0: no bound. Kafka: ignored.
  std::uint64_t max_ahead_records = 0;
  std::int32_t partitions = 8;  ///< of an embedded stream made by this sink
  std::uint64_t retention_bytes = 0;  ///< embedded stream; 0: keep all
  /// Embedded stream: records older than this go with the next table that is
  /// made; 0: keep however old.
  std::chrono::seconds retention_age{0};
  std::map<std::string, std::string> client;  ///< Kafka only
  StreamEvents events;
};

/// Checks [stream.client] without opening anything: no key that swavd owns,
/// secrets only as `<name>_file` and readable, names and values that the
/// client library takes. Errors: kInvalidArgument naming the key.
[[nodiscard]] Status check_client(
    const std::map<std::string, std::string>& client);

/// Opens a stream for reading. Errors: kInvalidArgument (a client key that
/// swavd owns), kUnavailable, kNotFound, kIo.
[[nodiscard]] Result<std::unique_ptr<Source>> open_source(
    const StreamUrl& url,
    const SourceOptions& options);

/// Opens a stream for writing; an embedded stream is created when absent and
/// admits one writing process (kUnavailable naming the holder).
[[nodiscard]] Result<std::unique_ptr<Sink>> open_sink(
    const StreamUrl& url,
    const SinkOptions& options);

/// Where the dead letters of `url` go: the topic "<topic>.dead" (Kafka), the
/// stream "<topic>.dead/<rank>" (embedded).
[[nodiscard]] StreamUrl dead_letter_url(
    const StreamUrl& url,
    std::int32_t rank);

}  // namespace swavd::ingest
