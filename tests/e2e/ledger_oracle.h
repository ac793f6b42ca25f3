#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "ingest/record.h"
#include "ingest/streams.h"
#include "ops/base/sha256.h"

namespace swavd::e2e {

/// What a test remembers of a record.
struct KnownRecord {
  Digest payload_sha256{};
  /// By its first and last bytes and a PNG's size, without decoding.
  bool trainable = false;
  ingest::Headers headers;
};

/// All records of a topic: by partition and offset.
using Topic = std::map<std::int32_t, std::map<std::int64_t, KnownRecord>>;

/// Reads a topic from its first record to its present end. A test failure
/// when that does not work.
[[nodiscard]] Topic read_topic(const ingest::StreamUrl& url);
[[nodiscard]] Topic read_topic(const std::string& url);

[[nodiscard]] std::uint64_t records_of(const Topic& topic);

/// All offsets that a position of a manifest calls consumed, ascending.
[[nodiscard]] std::vector<std::int64_t> consumed_offsets(
    const nlohmann::json& position);

/// What positions and ledger of a snapshot must say, computed from the topic
/// with nothing but the text of the documented contract.
struct Recomputed {
  std::uint64_t count = 0;
  std::uint64_t hash = 0;
  std::uint64_t content = 0;
  std::uint64_t trained = 0;
  std::uint64_t rejected = 0;
};

/// Recomputes over every offset that `manifest`'s positions call consumed and
/// expects the manifest's ledger and counts to be that.
Recomputed expect_exact(const nlohmann::json& manifest, const Topic& topic);

/// Expects `snapshots` (of `swavctl snapshots ls`, all of a run) to be one
/// unbroken line of parents, steps and commits growing.
void expect_unbroken_line(const nlohmann::json& snapshots);

/// The two tensors of a ledger trainer's model.safetensors.
struct LedgerWeights {
  std::uint64_t count = 0;
  std::uint64_t hash = 0;
};

[[nodiscard]] LedgerWeights read_ledger_weights(const std::string& file);

}  // namespace swavd::e2e
