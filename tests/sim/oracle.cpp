#include "tests/sim/oracle.h"

#include <utility>

#include <fmt/format.h>

#include "tests/ledger_contract.h"

namespace swavd::sim {

namespace {

using ledger_contract::first_eight;
using ledger_contract::hex16;
using ledger_contract::in_a_gap;
using nlohmann::json;

constexpr const char* kTopic = "images";

std::string address_text(std::int64_t partition, std::int64_t offset) {
  return fmt::format("{}/{}/{}", kTopic, partition, offset);
}

}  // namespace

void Oracle::published(
    std::int32_t partition,
    std::int64_t offset,
    const std::string& payload,
    bool bad) {
  records_[partition][offset] = {
      first_eight(sha256(as_bytes(address_text(partition, offset)))),
      first_eight(sha256(as_bytes(payload))),
      bad};
}

void Oracle::expect(bool holds, const std::string& what) {
  if (!holds) {
    broken_.push_back(what);
  }
}

void Oracle::add_range(
    const json& position,
    std::int64_t from,
    std::int64_t to,
    Sum& sum) {
  const auto partition = position.at("partition").get<std::int32_t>();
  const auto& records = records_[partition];
  for (auto known = records.lower_bound(from);
       known != records.end() && known->first <= to;
       ++known) {
    if (in_a_gap(position.at("gaps"), known->first)) {
      continue;
    }
    ++sum.count;
    sum.hash += known->second.address_hash;
    sum.content += known->second.content_hash;
    ++(known->second.bad ? sum.rejected : sum.trained);
    if (known->second.bad) {
      const std::string address = address_text(partition, known->first);
      expect(told_.contains(address), "no dead letter for " + address);
    }
  }
}

Oracle::Sum Oracle::fold(const json& position) {
  Sum sum;
  const auto next = position.at("next").get<std::int64_t>();
  add_range(position, position.at("start").get<std::int64_t>(), next - 1, sum);
  for (const json& range : position.at("done_above")) {
    expect(range.at(0).get<std::int64_t>() > next, "done_above below next");
    add_range(
        position,
        range.at(0).get<std::int64_t>(),
        range.at(1).get<std::int64_t>(),
        sum);
  }
  expect(
      position.at("trained").get<std::uint64_t>() == sum.trained &&
          position.at("rejected").get<std::uint64_t>() == sum.rejected,
      "counts of a position");
  return sum;
}

void Oracle::committed(
    const std::string& id,
    const state::Manifest& manifest,
    std::int64_t weights_count,
    std::uint64_t weights_hash) {
  Sum all;
  Snapshot snapshot{manifest, {}};
  for (const json& position : json::parse(manifest.positions_json)) {
    const Sum one = fold(position);
    all.count += one.count;
    all.hash += one.hash;
    all.content += one.content;
    all.trained += one.trained;
    snapshot.next[position.at("partition").get<std::int32_t>()] =
        position.at("next").get<std::int64_t>();
  }
  const json ledger = json::parse(manifest.ledger_json);
  expect(
      ledger.at("count").get<std::uint64_t>() == all.count &&
          ledger.at("hash").get<std::string>() == hex16(all.hash) &&
          ledger.at("content").get<std::string>() == hex16(all.content),
      fmt::format("the ledger of {} is not that of its positions", id));
  expect(
      static_cast<std::uint64_t>(weights_count) == all.count &&
          weights_hash == all.hash,
      fmt::format("the weights of {} are not those of its positions", id));
  expect(manifest.images == all.trained, "images of " + id);
  check_parent(id, snapshot);
  durable_positions_.insert(manifest.positions_json);
  snapshots_[id] = std::move(snapshot);
}

void Oracle::rolled_back(const std::vector<state::Rollback>& bends) {
  for (std::size_t i = 0; i < bends_.size(); ++i) {
    expect(
        i < bends.size() && bends[i].generation == bends_[i].generation &&
            bends[i].id == bends_[i].id,
        fmt::format("the rollback to {} is forgotten", bends_[i].id));
  }
  bends_ = bends;
}

bool Oracle::followed(const state::Manifest& parent, std::uint64_t generation)
    const {
  std::uint64_t until = generation;
  for (auto bend = bends_.rbegin(); bend != bends_.rend(); ++bend) {
    if (bend->generation > until) {
      continue;
    }
    if (parent.generation >= bend->generation) {
      return true;
    }
    if (std::pair(parent.generation, parent.commit) >
        std::pair(bend->start_generation, bend->start_commit)) {
      return false;
    }
    // Whatever was rolled back to may itself lie before earlier rollbacks.
    until = bend->start_generation;
  }
  return true;
}

void Oracle::check_parent(const std::string& id, const Snapshot& snapshot) {
  if (snapshot.manifest.parent.empty()) {
    return;
  }
  const auto found = snapshots_.find(snapshot.manifest.parent);
  if (found == snapshots_.end()) {
    expect(false, "the parent of " + id + " was never committed");
    return;
  }
  const Snapshot& parent = found->second;
  // A snapshot that was asked for may stand at the step of the one before.
  expect(
      snapshot.manifest.step >= parent.manifest.step &&
          snapshot.manifest.commit > parent.manifest.commit &&
          snapshot.manifest.generation >= parent.manifest.generation,
      "step, commit or generation of " + id + " fell below its parent's");
  expect(
      followed(parent.manifest, snapshot.manifest.generation),
      fmt::format(
          "{} continues from {}, which was rolled back",
          id,
          snapshot.manifest.parent));
  for (const auto& [partition, next] : parent.next) {
    const auto mine = snapshot.next.find(partition);
    expect(
        mine != snapshot.next.end() && mine->second >= next,
        fmt::format("partition {} of {} went back", partition, id));
  }
}

void Oracle::progress(const std::string& positions_json) {
  expect(
      durable_positions_.contains(positions_json),
      "a position was told that no durable snapshot has");
}

void Oracle::remote_line(const std::vector<std::string>& ids) {
  const Snapshot* before = nullptr;
  for (const std::string& id : ids) {
    const auto found = snapshots_.find(id);
    if (found == snapshots_.end()) {
      expect(false, id + " is remote and was never committed");
      continue;
    }
    if (before != nullptr) {
      expect(
          found->second.manifest.generation >= before->manifest.generation &&
              found->second.manifest.commit > before->manifest.commit,
          "the remote lineage goes back at " + id);
    }
    before = &found->second;
  }
}

}  // namespace swavd::sim
