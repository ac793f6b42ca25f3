#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "ingest/record.h"
#include "ops/base/sha256.h"
#include "state/manifest.h"
#include "state/run_record.h"

namespace swavd::sim {

/// What must hold of every snapshot, told from nothing but the records that
/// were ever published and the manifests: kept apart from the product's code.
class Oracle {
 public:
  /// A record was published. `bad`: it cannot be trained on.
  void published(
      std::int32_t partition,
      std::int64_t offset,
      const std::string& payload,
      bool bad);

  /// A dead letter was acknowledged.
  void dead_letter(const std::string& address) { told_.insert(address); }

  /// A snapshot came to be. `weights`: count and hash of its ledger tensors.
  void committed(
      const std::string& id,
      const state::Manifest& manifest,
      std::int64_t weights_count,
      std::uint64_t weights_hash);

  /// The rollbacks there have been, ascending by generation: from each of
  /// their generations on the run continues from its snapshot. None that was
  /// told before may be missing.
  void rolled_back(const std::vector<state::Rollback>& bends);

  /// Positions were told to the outside as durable.
  void progress(const std::string& positions_json);

  /// A snapshot is in the remote lineage, which is listed in order.
  void remote_line(const std::vector<std::string>& ids);

  /// Does the line, as a snapshot of `generation` sees it, lead through it?
  [[nodiscard]] bool followed(
      const state::Manifest& parent,
      std::uint64_t generation) const;

  void expect(bool holds, const std::string& what);

  [[nodiscard]] const std::vector<std::string>& broken() const {
    return broken_;
  }

  /// Records of a partition that a manifest's position calls consumed or gone.
  [[nodiscard]] std::uint64_t snapshots() const { return snapshots_.size(); }

 private:
  struct Known {
    std::uint64_t address_hash = 0;
    std::uint64_t content_hash = 0;
    bool bad = false;
  };

  struct Sum {
    std::uint64_t count = 0;
    std::uint64_t hash = 0;
    std::uint64_t content = 0;
    std::uint64_t trained = 0;
    std::uint64_t rejected = 0;
  };

  struct Snapshot {
    state::Manifest manifest;
    std::map<std::int32_t, std::int64_t> next;
  };

  void add_range(
      const nlohmann::json& position,
      std::int64_t from,
      std::int64_t to,
      Sum& sum);
  [[nodiscard]] Sum fold(const nlohmann::json& position);
  void check_parent(const std::string& id, const Snapshot& snapshot);

  std::map<std::int32_t, std::map<std::int64_t, Known>> records_;
  std::map<std::string, Snapshot> snapshots_;
  std::set<std::string> durable_positions_;
  std::set<std::string> told_;
  std::vector<state::Rollback> bends_;
  std::vector<std::string> broken_;
};

}  // namespace swavd::sim
