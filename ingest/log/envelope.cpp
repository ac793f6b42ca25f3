#include "ingest/log/envelope.h"

#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "ingest/log/crc32c.h"
#include "ingest/log/wire.h"
#include "ops/base/bytes.h"

namespace swavd::ingest {

namespace {

constexpr char kEnvelopeVersion = 1;
constexpr std::size_t kVersionAndCheck = 1 + 4;

Error bad_envelope(std::string why) {
  return {ErrorCode::kCorruption, "stored record: " + std::move(why)};
}

std::string encode_fields(const OutRecord& record) {
  std::string fields;
  fields.reserve(kEnvelopeBytes + record.key.size());
  append_u64_le(fields, static_cast<std::uint64_t>(record.timestamp_ms));
  append_sized(fields, record.key);
  append_u32_le(fields, static_cast<std::uint32_t>(record.headers.size()));
  for (const auto& [name, value] : record.headers) {
    append_sized(fields, name);
    append_sized(fields, value);
  }
  append_u32_le(fields, static_cast<std::uint32_t>(record.payload.size()));
  return fields;
}

/// False when the headers run over the end.
bool read_headers(WireReader& reader, std::uint32_t count, Headers& headers) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto name = reader.sized();
    const auto value = reader.sized();
    if (!name || !value) {
      return false;
    }
    headers.emplace_back(*name, *value);
  }
  return true;
}

Result<Record> decode_fields(std::string_view fields) {
  WireReader reader(fields);
  Record record;
  const auto timestamp = reader.u64();
  const auto key = reader.sized();
  const auto headers = reader.u32();
  if (!timestamp || !key || !headers ||
      !read_headers(reader, *headers, record.headers)) {
    return bad_envelope("its fields run over its end");
  }
  const auto payload = reader.sized();
  if (!payload || !reader.rest().empty()) {
    return bad_envelope("its payload does not end where the value ends");
  }
  record.timestamp_ms = static_cast<std::int64_t>(*timestamp);
  record.key = *key;
  const Bytes bytes = as_bytes(*payload);
  record.payload.assign(bytes.begin(), bytes.end());
  return record;
}

}  // namespace

std::string encode_head(const OutRecord& record) {
  const std::string fields = encode_fields(record);
  std::string head(1, kEnvelopeVersion);
  head.reserve(kVersionAndCheck + fields.size());
  append_u32_le(head, crc32c(record.payload, crc32c(as_bytes(fields))));
  return head + fields;
}

Result<Record> decode_record(std::string_view value) {
  if (value.empty() || value.front() != kEnvelopeVersion) {
    return bad_envelope(fmt::format(
        "format version {} is unknown; this program reads version {}",
        value.empty() ? 0 : static_cast<int>(value.front()),
        static_cast<int>(kEnvelopeVersion)));
  }
  WireReader reader(value.substr(1));
  const auto check = reader.u32();
  if (!check) {
    return bad_envelope("it ends within its checksum");
  }
  if (*check != crc32c(as_bytes(reader.rest()))) {
    return bad_envelope("its checksum differs");
  }
  return decode_fields(reader.rest());
}

}  // namespace swavd::ingest
