#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/result.h"
#include "state/frozen_state.h"

namespace swavd::state {

/// One file of a snapshot.
struct FileEntry {
  std::string name;
  std::uint64_t bytes = 0;
  std::string sha256;  ///< hexadecimal
};

/// manifest.json, format "swavd-snapshot/1": the contract is in
/// ops/docs/formats/snapshot.md. Sections that other folders own (`*_json`)
/// are JSON texts, embedded as they are and never interpreted here.
struct Manifest {
  std::string run = "main";
  std::uint64_t generation = 0;
  std::uint64_t commit = 0;  ///< grows by one with every commit of the run
  std::uint64_t step = 0;
  std::uint64_t images = 0;  ///< trained along the lineage
  std::string parent;        ///< id of the snapshot before; empty for the first
  /// For a snapshot beside a run's line, how it left it; empty: on the line.
  std::string branch_json;
  std::int64_t created_ms = 0;     ///< Unix ms
  std::string stream_json = "{}";  ///< {"id":…,"order":{"mode":…,"turn":…}}
  std::string positions_json = "[]";
  std::string schedule_json = "{}";
  std::string random_json = "{}";
  std::string ledger_json = "{}";
  /// The weights the run began with, {"init_from":…}; empty: none, and then
  /// the manifest has no such section.
  std::string origin_json;
  std::string config_toml;    ///< the model-relevant sections
  std::string config_sha256;  ///< of `config_toml`
  std::string state_sha256;   ///< see `compute_state_sha256`
  Health health;
  std::vector<FileEntry> files;  ///< ascending by name
};

/// SHA-256 over what must be equal after an exact resume: the digests of all
/// files, positions, schedule and random state.
[[nodiscard]] std::string compute_state_sha256(const Manifest& manifest);

/// The text of manifest.json: one line, keys in the documented order.
[[nodiscard]] std::string to_json(const Manifest& manifest);

/// Errors: kCorruption naming the field that is missing or wrong.
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view json);

/// "<step, 12 digits>-<first 8 hexadecimal digits of the text's SHA-256>".
[[nodiscard]] std::string snapshot_id(
    std::uint64_t step,
    std::string_view manifest_text);

}  // namespace swavd::state
