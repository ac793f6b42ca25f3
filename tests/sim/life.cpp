#include "tests/sim/life.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <utility>

#include "dedup_free_loader/loader.h"
#include "dedup_free_loader/reading/record_reader.h"
#include "ingest/position_json.h"
#include "ops/base/sha256.h"
#include "ops/daemon/lease_keeper.h"
#include "ops/daemon/restore.h"
#include "ops/daemon/snapshot_keeper.h"
#include "ops/daemon/status_board.h"
#include "ops/daemon/stream_setup.h"
#include "ops/daemon/training_loop.h"
#include "trainer/trainer.h"

namespace swavd::sim {

namespace {

using std::chrono::milliseconds;

/// Dead letters are safe once a flush that began later has come back; those
/// of a process that dies before are lost.
class SimDeadLetters final : public ingest::Sink {
 public:
  explicit SimDeadLetters(World& world) : world_(world) {}

  Status publish(ingest::OutRecord record) override {
    pending_.emplace_back(
        ingest::find_header(record.headers, ingest::kHeaderAddress));
    return ok_status();
  }

  Status flush(milliseconds) override {
    world_.moment();
    if (world_.fails(20)) {
      return Error{ErrorCode::kUnavailable, "nobody takes the dead letters"};
    }
    for (const std::string& address : pending_) {
      world_.oracle.dead_letter(address);
    }
    pending_.clear();
    return ok_status();
  }

  void close() override {}

 private:
  World& world_;
  std::vector<std::string> pending_;
};

loader::LoaderOptions reading_options(
    World& world,
    const daemon::RunStream& stream) {
  loader::LoaderOptions options;
  options.seed = 1;
  options.partitions = stream.partitions;
  options.shuffle_records = world.shuffle_records;
  options.shuffle_bytes = world.shuffle_bytes;
  options.shuffle_wait = milliseconds(1000);
  options.take_gaps = [gaps = stream.gaps] { return std::exchange(*gaps, {}); };
  return options;
}

/// Gathers batches as the real loader does, of the records that its reader
/// gives, without threads and without decoding: "bad…" is what does not decode.
class SimLoader final : public loader::Loader {
 public:
  SimLoader(
      World& world,
      const daemon::RunStream& stream,
      std::function<void(bool idle)> between)
      : options_(reading_options(world, stream)),
        reader_(*stream.source, options_, world.clock),
        between_(std::move(between)) {}

  Result<loader::Next> next(milliseconds) override {
    between_(idle_);
    idle_ = false;
    while (batch_->images < kBatchImages) {
      const std::size_t held = reader_.held_records();
      auto read = reader_.next(milliseconds(0));
      if (!read.ok()) {
        return read.error();
      }
      if (read.value().state != ingest::PollState::kRecord) {
        if (reader_.held_records() > held) {
          continue;  // one was taken in
        }
        idle_ = held == 0;
        return loader::Next{};
      }
      take(std::move(read).value().drawn);
    }
    loader::Next next;
    next.state = loader::NextState::kBatch;
    next.batch = std::exchange(batch_, std::make_unique<loader::Batch>());
    return next;
  }

  loader::LoaderStats stats() const override { return {}; }

  void close() override {}

 private:
  void take(loader::Drawn drawn) {
    std::ranges::move(drawn.gaps, std::back_inserter(batch_->gaps));
    if (drawn.absent) {
      batch_->absent.push_back(*drawn.absent);
    }
    ingest::Record& record = drawn.record;
    const Digest digest = sha256(record.payload);
    if (as_text(record.payload).starts_with("bad")) {
      loader::Rejected rejected;
      rejected.record = std::move(record);
      rejected.payload_sha256 = digest;
      batch_->rejected.push_back(std::move(rejected));
      return;
    }
    loader::Slot slot;
    slot.address = record.address;
    slot.timestamp_ms = record.timestamp_ms;
    slot.payload_sha256 = digest;
    batch_->slots.push_back(std::move(slot));
    ++batch_->images;
  }

  const loader::LoaderOptions options_;
  loader::RecordReader reader_;
  std::function<void(bool idle)> between_;
  std::unique_ptr<loader::Batch> batch_ = std::make_unique<loader::Batch>();
  bool idle_ = false;
};

state::LeaseOptions lease_options(World& world) {
  state::LeaseOptions options;
  options.object_store = "memory";
  options.me = world.new_owner();
  return options;
}

/// Lets the time pass that a claim watches another owner.
std::function<bool(milliseconds)> patience(World& world) {
  return [&world](milliseconds time) {
    world.clock.pass(time);
    world.moment();
    return true;
  };
}

/// The parts of one process, in the order of their lives.
class Life {
 public:
  Life(World& world, Machine& machine, Machine* rival)
      : world_(world),
        rival_(rival),
        machine_(machine),
        store_(world, machine.disk),
        objects_(world),
        remote_(state::open_remote_run(objects_, "main")),
        trainer_(trainer::make_ledger_trainer()),
        letters_(world),
        board_(world.clock, world.registry, "main", "", 0, 0) {}

  Status run() {
    SWAVD_RETURN_IF_ERROR(start());
    daemon::SnapshotKeeper keeper(
        world_.clock,
        world_.registry,
        store_,
        &letters_,
        remote_.get(),
        keeper_options(),
        [this](const daemon::DurableSnapshot& snapshot) { durable(snapshot); });
    SimLoader loader(
        world_, stream_, [&](bool idle) { between(keeper, idle); });
    daemon::TrainingLoop loop(
        {world_.clock,
         world_.registry,
         control_,
         board_,
         manager_,
         loader,
         *trainer_,
         keeper,
         &*lease_keeper_,
         &letters_,
         {},
         {}},
        loop_options(),
        std::move(run_));
    const Status ended = loop.run();
    if (ended.ok()) {
      lease_keeper_->release();
    }
    return ended;
  }

 private:
  Status start() {
    SWAVD_RETURN_IF_ERROR(own());
    auto run = daemon::restore_run(
        store_, remote_.get(), owned_, "", *trainer_, world_.registry);
    if (!run.ok()) {
      return run.error();
    }
    run_ = std::move(run).value();
    world_.moment();
    open_stream();
    SWAVD_RETURN_IF_ERROR(daemon::assign_stream(config_, stream_, run_));
    if (!run_.snapshot_id.empty()) {
      board_.snapshot_durable(
          {run_.snapshot_id, run_.step, run_.created_ms},
          run_.progress.positions());
    }
    parent_ = run_.snapshot_id;
    commit_ = run_.commit;
    return ok_status();
  }

  Status own() {
    const auto floor = daemon::highest_generation(store_, remote_.get());
    if (!floor.ok()) {
      return floor.error();
    }
    lease_.emplace(&store_, &objects_, world_.clock, lease_options(world_));
    std::optional<state::Rollback> bend;
    if (std::exchange(machine_.new_run, false)) {
      bend.emplace();
    }
    auto record = lease_->claim(floor.value(), bend, patience(world_));
    if (!record.ok()) {
      return record.error();
    }
    owned_ = std::move(record).value();
    daemon::LeaseKeeperOptions keeping;
    keeping.remote = true;
    keeping.thread = false;
    lease_keeper_.emplace(
        world_.clock, world_.registry, board_, *lease_, keeping);
    return ok_status();
  }

  void open_stream() {
    stream_.gaps = std::make_shared<std::vector<loader::PartitionRange>>();
    ingest::SourceOptions options;
    options.jump_gaps = world_.jump_gaps;
    options.on_gap =
        [gaps = stream_.gaps](
            std::int32_t partition, std::int64_t from, std::int64_t to) {
          gaps->push_back({partition, from, to});
        };
    stream_.source = world_.stream->source(options);
    stream_.id = stream_.source->stream_id().value();
  }

  void durable(const daemon::DurableSnapshot& snapshot) {
    board_.snapshot_durable(
        {snapshot.id, snapshot.step, snapshot.created_ms}, snapshot.positions);
    stream_.source->publish_progress(snapshot.positions);
    lease_keeper_->committed(snapshot.id, snapshot.commit);
    world_.oracle.progress(ingest::positions_to_json(snapshot.positions));
  }

  /// What happens beside the loop; a rival's whole life once in a while.
  void between(daemon::SnapshotKeeper& keeper, bool idle) {
    world_.happen(control_, keeper);
    if (world_.chance.one_in(8)) {
      lease_keeper_->renew();
    }
    if (world_.calm()) {
      if (idle && keeper.idle()) {
        control_.drain();
      }
      return;
    }
    if (rival_ != nullptr && world_.rivals && world_.chance.one_in(25)) {
      Machine& other = *std::exchange(rival_, nullptr);
      try {
        (void)live(world_, other, nullptr);
      } catch (const Died&) {
        return;  // the rival died, not this process
      }
    }
  }

  daemon::KeeperOptions keeper_options() {
    daemon::KeeperOptions options;
    options.retention.keep_last = 3;
    options.remote_retention.keep_last = 4;
    options.next_commit = commit_ + 1;
    options.parent = parent_;
    options.may_commit = [this] { return lease_keeper_->confirm(); };
    auto pending = daemon::pending_uploads(
        store_, *remote_, options.upload_every, options.max_pending);
    if (pending.ok()) {
      options.pending = std::move(pending).value();
    }
    options.threads = false;
    options.open_catalog =
        [this]() -> Result<std::unique_ptr<state::SnapshotCatalog>> {
      return std::unique_ptr<state::SnapshotCatalog>(
          std::make_unique<SimStore>(world_, machine_.disk));
    };
    return options;
  }

  daemon::LoopOptions loop_options() const {
    daemon::LoopOptions options;
    options.cadence.every_steps = 2;
    options.generation = owned_.generation;
    options.stream_id = stream_.id;
    return options;
  }

  World& world_;
  Machine* rival_;
  Machine& machine_;
  SimStore store_;
  SimObjects objects_;
  std::unique_ptr<state::RemoteRun> remote_;
  std::unique_ptr<trainer::Trainer> trainer_;
  service::Config config_;
  service::ServiceManager manager_;
  daemon::Control control_;
  SimDeadLetters letters_;
  daemon::StatusBoard board_;
  daemon::RunStream stream_;
  daemon::RunState run_;
  std::string parent_;
  std::uint64_t commit_ = 0;
  state::RunRecord owned_;
  std::optional<state::RunLease> lease_;
  std::optional<daemon::LeaseKeeper> lease_keeper_;
};

}  // namespace

Status live(World& world, Machine& machine, Machine* rival) {
  return Life(world, machine, rival).run();
}

Status roll_back(World& world, Machine& machine) {
  SimStore store(world, machine.disk);
  SimObjects objects(world);
  const auto list = store.list();
  if (!list.ok() || list.value().empty()) {
    return list.ok() ? ok_status() : list.error();
  }
  const state::SnapshotInfo& start =
      list.value()[world.chance.below(list.value().size())];
  state::Rollback bend{0, start.id, start.generation, start.commit};
  state::RunLease lease(&store, &objects, world.clock, lease_options(world));
  const auto record =
      lease.claim(list.value().back().generation, bend, patience(world));
  if (!record.ok()) {
    return record.error();
  }
  bend.generation = record.value().generation;
  world.oracle.expect(
      record.value().rollbacks.back().generation == bend.generation &&
          record.value().rollbacks.back().id == start.id,
      "a rollback that went well is not in the record");
  return lease.release();
}

}  // namespace swavd::sim
