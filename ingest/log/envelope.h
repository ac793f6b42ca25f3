#pragma once

#include <string>
#include <string_view>

#include "ingest/record.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// Bytes of an envelope besides key, headers and payload, without headers.
inline constexpr std::size_t kEnvelopeBytes = 1 + 4 + 8 + 4 + 4 + 4;

/// All of a record's stored form but its payload's bytes, which follow it:
/// the value in the database is `encode_head(record) + record.payload`. Kept
/// apart so that a payload is copied only once, into the write batch. The
/// timestamp is stored as it stands. Format: ops/docs/formats/
/// embedded-stream.md.
[[nodiscard]] std::string encode_head(const OutRecord& record);

/// The record behind a stored value; its address is left for the caller.
/// Errors: kCorruption, saying whether the version is unknown, the checksum
/// differs or the fields do not fit.
[[nodiscard]] Result<Record> decode_record(std::string_view value);

}  // namespace swavd::ingest
