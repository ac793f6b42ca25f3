#include "ingest/kafka/reader_config.h"

#include <algorithm>

namespace swavd::ingest {

namespace {

constexpr std::uint64_t kMiB = 1ULL << 20U;
constexpr std::uint64_t kLeastFetch = 50 * kMiB;  // librdkafka's default
constexpr std::uint64_t kMostResponse = (1ULL << 31U) - 1;  // its limit
constexpr std::uint64_t kLeastQueue = kMiB;

Properties common_defaults(const SourceOptions& options) {
  // The first batch of a response comes whole even when it is larger than
  // what was asked for, so the response limit must admit a largest record.
  const std::uint64_t fetch = std::min(
      std::max(kLeastFetch, options.max_record_bytes + kMiB),
      kMostResponse - 2 * kMiB);
  return {
      {"client.id", "swavd"},
      {"fetch.max.bytes", std::to_string(fetch)},
      {"receive.message.max.bytes", std::to_string(fetch + 2 * kMiB)},
      {"reconnect.backoff.max.ms", "2000"},
      {"log.connection.close", "false"},
      {"socket.nagle.disable", "true"},
  };
}

Properties common_fixed(const StreamUrl& url, const SourceOptions& options) {
  return {
      {"bootstrap.servers", url.brokers},
      {"group.id", "swavd-" + options.run},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      // A topic that images are pushed to has no transactions to wait for; a
      // producer that hangs in one must not freeze the run.
      {"isolation.level", "read_uncommitted"},
      {"allow.auto.create.topics", "false"},
  };
}

}  // namespace

PrefetchShare share_prefetch(
    std::uint64_t prefetch_bytes,
    std::size_t partitions) {
  const std::uint64_t each =
      prefetch_bytes / 2 / std::max<std::size_t>(1, partitions);
  return {std::max(each, kLeastQueue), std::max(each, kLeastQueue)};
}

ClientProperties reader_properties(
    const StreamUrl& url,
    const SourceOptions& options,
    std::uint64_t client_bytes) {
  ClientProperties properties{
      common_defaults(options), common_fixed(url, options), options.client};
  const std::uint64_t at_once = std::clamp(client_bytes / 4, kMiB, 8 * kMiB);
  properties.defaults.emplace_back(
      "max.partition.fetch.bytes", std::to_string(at_once));
  properties.fixed.emplace_back("enable.partition.eof", "false");
  properties.fixed.emplace_back(
      "queued.max.messages.kbytes", std::to_string(client_bytes / 1024));
  return properties;
}

ClientProperties query_properties(
    const StreamUrl& url,
    const SourceOptions& options) {
  ClientProperties properties{
      common_defaults(options), common_fixed(url, options), options.client};
  // Reading a fingerprint ends at the record or at the end of the partition.
  properties.fixed.emplace_back("enable.partition.eof", "true");
  properties.fixed.emplace_back("queued.max.messages.kbytes", "1024");
  return properties;
}

}  // namespace swavd::ingest
