#include "tests/sim/world.h"

#include <fmt/format.h>

namespace swavd::sim {

namespace {

/// One for all worlds: nothing is read from it, and making one takes longer
/// than a world.
metrics::Registry& shared_registry() {
  static metrics::Registry registry;
  return registry;
}

Error away() {
  return {ErrorCode::kUnavailable, "the object store is away"};
}

}  // namespace

World::World(std::uint64_t seed)
    : chance(seed),
      stream(ingest::testing::MemoryStream::make("images", 2)),
      registry(shared_registry()),
      seed_(seed),
      begin_(2, 0),
      end_(2, 0) {
  rivals = chance.one_in(4);
  jump_gaps = chance.one_in(2);
  shuffle_records = static_cast<std::int64_t>(1 + chance.below(12));
  shuffle_bytes = chance.below(200);  // records have about ten
}

void World::moment() {
  if (!calm_ && chance.one_in(90)) {
    throw Died{};
  }
}

bool World::fails(std::uint64_t once_in) {
  return !calm_ && chance.one_in(once_in);
}

void World::publish() {
  for (std::uint64_t left = 1 + chance.below(6); left > 0; --left) {
    const auto partition = static_cast<std::int32_t>(
        chance.below(static_cast<std::uint64_t>(partitions_)));
    const bool bad = chance.one_in(8);
    const std::string payload =
        fmt::format("{}{}", bad ? "bad" : "good", chance.below(1U << 30U));
    const std::int64_t offset = stream->append(partition, payload);
    oracle.published(partition, offset, payload, bad);
    end_[static_cast<std::size_t>(partition)] = offset + 1;
  }
}

void World::trouble_in_the_stream() {
  const auto partition = static_cast<std::int32_t>(
      chance.below(static_cast<std::uint64_t>(partitions_)));
  auto& begin = begin_[static_cast<std::size_t>(partition)];
  auto& end = end_[static_cast<std::size_t>(partition)];
  switch (chance.below(5)) {
    case 0:
      outage_ = !outage_;
      stream->set_unavailable(outage_);
      break;
    case 1: {
      const auto count = static_cast<std::int64_t>(1 + chance.below(3));
      stream->make_hole(partition, count);
      end += count;
      break;
    }
    case 2:
      if (partitions_ < 4) {
        stream->add_partition();
        ++partitions_;
        begin_.push_back(0);
        end_.push_back(0);
      }
      break;
    default:
      if (end > begin && chance.one_in(3)) {
        begin += 1 + static_cast<std::int64_t>(
                         chance.below(static_cast<std::uint64_t>(end - begin)));
        stream->drop_below(partition, begin);
        retention_ran = true;
      }
  }
}

state::RunOwner World::new_owner() {
  ++owners_;
  return {fmt::format("{:016x}", owners_), "host", owners_};
}

void World::happen(daemon::Control& control, daemon::SnapshotKeeper& keeper) {
  clock.pass(std::chrono::milliseconds(1 + chance.below(500)));
  if (chance.one_in(2)) {
    (void)keeper.commit_one();
  }
  if (chance.one_in(2)) {
    (void)keeper.upload_one();
  }
  if (calm_) {
    return;
  }
  moment();
  if (chance.one_in(2)) {
    publish();
  }
  if (chance.one_in(12)) {
    trouble_in_the_stream();
  }
  if (chance.one_in(20)) {
    clock.jump(
        static_cast<std::int64_t>(chance.below(200'000'000)) - 100'000'000);
  }
  switch (chance.below(40)) {
    case 4:
      control.snapshot();
      break;
    case 5:
      control.drain();
      break;
    case 6:
      control.quit();
      break;
    default:
      break;
  }
}

void World::calm_down() {
  calm_ = true;
  outage_ = false;
  jump_gaps = true;
  stream->set_unavailable(false);
}

Status SimObjects::before() {
  world_.moment();
  if (world_.fails(40)) {
    return away();
  }
  return ok_status();
}

Result<std::string> SimObjects::put(
    const std::string& key,
    std::uint64_t bytes,
    const std::function<Result<Bytes>()>& source,
    const state::PutCondition& condition) {
  SWAVD_RETURN_IF_ERROR(before());
  auto put = world_.objects.put(key, bytes, source, condition);
  world_.moment();
  if (put.ok() && world_.fails(40)) {
    return away();  // it is there, only the answer got lost
  }
  return put;
}

Result<state::ObjectInfo> SimObjects::get(
    const std::string& key,
    const std::function<Status(Bytes)>& sink) {
  SWAVD_RETURN_IF_ERROR(before());
  return world_.objects.get(key, sink);
}

Result<std::optional<state::ObjectInfo>> SimObjects::get_if_changed(
    const std::string& key,
    const std::string& etag,
    const std::function<Status(Bytes)>& sink) {
  SWAVD_RETURN_IF_ERROR(before());
  return world_.objects.get_if_changed(key, etag, sink);
}

Result<state::ObjectInfo> SimObjects::get_range(
    const std::string& key,
    std::uint64_t offset,
    std::uint64_t bytes,
    const std::string& etag,
    const std::function<Status(Bytes)>& sink) {
  SWAVD_RETURN_IF_ERROR(before());
  return world_.objects.get_range(key, offset, bytes, etag, sink);
}

Result<std::vector<state::ObjectInfo>> SimObjects::list(
    const std::string& prefix) {
  SWAVD_RETURN_IF_ERROR(before());
  return world_.objects.list(prefix);
}

Status SimObjects::remove(const std::string& key) {
  SWAVD_RETURN_IF_ERROR(before());
  return world_.objects.remove(key);
}

}  // namespace swavd::sim
