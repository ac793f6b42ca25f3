#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/base/bytes.h"

namespace swavd::ingest {

/// Where a record stands in the stream. The pair (partition, offset) is
/// unique within a topic for ever.
struct Address {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;

  friend bool operator==(const Address&, const Address&) = default;
};

/// "TOPIC/PARTITION/OFFSET", the text the ledger hashes.
[[nodiscard]] std::string to_string(const Address& address);

/// Names and values that travel with a payload, in order, names may repeat.
using Headers = std::vector<std::pair<std::string, std::string>>;

// Header names with a meaning here (all optional in a record).
inline constexpr std::string_view kHeaderUrl = "url";
inline constexpr std::string_view kHeaderContentType = "content-type";
inline constexpr std::string_view kHeaderFetchedAt = "fetched-at";  // Unix ms
inline constexpr std::string_view kHeaderSha256 = "sha256";
// The file's name, set by finite sources over a PATH and by `push_paths`.
inline constexpr std::string_view kHeaderName = "name";
// Added to dead letters: why, in words, and where the record stood.
inline constexpr std::string_view kHeaderReason = "reason";
inline constexpr std::string_view kHeaderDetail = "detail";
inline constexpr std::string_view kHeaderAddress = "address";

/// The last value of header `name`, empty when absent.
[[nodiscard]] std::string_view find_header(
    const Headers& headers,
    std::string_view name);

/// One message as it lies in the stream: the bytes of an image file as it was
/// fetched, whatever they are.
struct Record {
  Address address;
  std::string key;
  ByteVector payload;
  Headers headers;
  std::int64_t timestamp_ms = -1;  ///< Unix ms, -1 when the stream has none
  /// Class of a labelled image (the first folder of its path); only finite
  /// sources over a PATH set it, for evaluation.
  std::string label;
};

/// A message on its way into a stream.
struct OutRecord {
  std::string key;  ///< chooses the partition; a hash of URL or content
  ByteVector payload;
  Headers headers;
  std::int64_t timestamp_ms = -1;  ///< Unix ms; -1: the sink's clock
};

}  // namespace swavd::ingest
