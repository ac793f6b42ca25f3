// One seed is one world: processes that start, train, commit, upload, are
// fenced and die, over a stream, stores and clocks that fail, on one thread.
// A failing seed is run again, alone and with its log, by SWAVD_SIM_SEED=N.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "ops/base/log.h"
#include "state/object_store.h"
#include "tests/sim/life.h"

namespace swavd::sim {
namespace {

/// What happened in all worlds: a simulation in which nothing goes wrong
/// proves nothing.
struct Tally {
  std::uint64_t lives = 0;
  std::uint64_t deaths = 0;
  std::uint64_t rollbacks = 0;
  std::uint64_t snapshots = 0;
  std::map<std::string, std::uint64_t> ends;
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, Tally& tally) : world_(seed), tally_(tally) {}

  /// What was broken, empty when every invariant held.
  std::vector<std::string> run() {
    world_.publish();
    const std::uint64_t lives = 2 + world_.chance.below(5);
    for (std::uint64_t i = 0; i < lives; ++i) {
      one_life();
      hear_of_rollbacks();  // of a start over, too
      look_at_the_remote();
      mishap_between_lives();
    }
    end_well();
    tally_.snapshots += world_.oracle.snapshots();
    return world_.oracle.broken();
  }

 private:
  void one_life() {
    ++tally_.lives;
    try {
      const Status ended = live(world_, here_, &there_);
      judge(ended);
    } catch (const Died&) {
      ++tally_.deaths;
    }
    world_.stream->set_unavailable(false);
  }

  /// A process ends only for a reason that this world gave it.
  void judge(const Status& ended) {
    if (ended.ok()) {
      ++tally_.ends["drained"];
      return;
    }
    const Error& error = ended.error();
    ++tally_.ends[std::string(to_string(error.code))];
    const auto reason = [&](bool given) {
      world_.oracle.expect(
          given,
          fmt::format(
              "ended without a reason: {} {}",
              to_string(error.code),
              error.message));
    };
    switch (error.code) {
      case ErrorCode::kRestart:      // told to quit, or a drain that failed
      case ErrorCode::kIo:           // a commit of unknown outcome
      case ErrorCode::kUnavailable:  // the object store or the stream is away
        break;
      case ErrorCode::kFenced:
        reason(world_.rivals);
        break;
      case ErrorCode::kNotFound:
        reason(world_.retention_ran);
        world_.jump_gaps = true;  // what the operator does then
        break;
      case ErrorCode::kCorruption:
        reason(flipped_);
        mend();
        break;
      case ErrorCode::kConfig:  // the run's snapshots are not to be had here
        reason(may_lie_elsewhere());
        here_.new_run = true;
        break;
      default:
        reason(false);
    }
  }

  void mishap_between_lives() {
    mend();
    if (world_.chance.one_in(8)) {
      roll_back_here();
    }
    if (world_.chance.one_in(6)) {
      flipped_id_ = here_.disk.flip_newest();
      flipped_ = !flipped_id_.empty();
    } else if (world_.chance.one_in(12)) {
      here_.disk = Disk{};  // another machine, or a new disk
      disk_lost_ = true;
    }
  }

  void roll_back_here() {
    try {
      const Status rolled = roll_back(world_, here_);
      tally_.rollbacks += rolled.ok() ? 1 : 0;
    } catch (const Died&) {
      ++tally_.deaths;
    }
    hear_of_rollbacks();
  }

  /// Also of one whose process died before it could say that it was done.
  void hear_of_rollbacks() {
    std::string text;
    const auto got =
        world_.objects.get("main/generation.json", [&text](Bytes piece) {
          text += as_text(piece);
          return ok_status();
        });
    if (got.ok()) {
      world_.oracle.rolled_back(
          state::parse_run_record(text).value().rollbacks);
    }
  }

  /// All snapshots of the run: on a disk that is lost, or another machine's.
  [[nodiscard]] bool may_lie_elsewhere() const {
    return disk_lost_ || world_.rivals;
  }

  void mend() {
    const auto found = here_.disk.snapshots.find(flipped_id_);
    if (flipped_ && found != here_.disk.snapshots.end()) {
      found->second->files.at("model.safetensors").back() ^= 1U;
    }
    flipped_ = false;
  }

  /// What the remote lineage names is whole, and it is one line.
  void look_at_the_remote() {
    const auto run = state::open_remote_run(world_.objects, "main");
    const auto list = run->list();
    if (!list.ok()) {
      world_.oracle.expect(false, list.error().message);
      return;
    }
    std::vector<std::string> ids;
    for (const state::SnapshotInfo& info : list.value()) {
      ids.push_back(info.id);
      auto reader = run->open(info.id);
      const Status whole =
          reader.ok() ? state::verify(*reader.value()) : reader.error();
      world_.oracle.expect(whole.ok(), info.id + " is remote and not whole");
    }
    world_.oracle.remote_line(ids);
  }

  /// Fair weather: the last process consumes all there is and drains.
  void end_well() {
    world_.calm_down();
    mend();
    Status ended = ok_status();
    constexpr int kStarts = 3;
    for (int i = 0; i < kStarts; ++i) {
      ended = live(world_, here_, nullptr);
      if (ended.ok()) {
        break;
      }
      here_.new_run =
          ended.error().code == ErrorCode::kConfig && may_lie_elsewhere();
    }
    world_.oracle.expect(
        ended.ok(),
        ended.ok() ? "" : "in calm weather: " + ended.error().message);
    look_at_the_remote();
    if (ended.ok()) {
      expect_all_consumed();
    }
  }

  /// The newest snapshot of both tiers that was not rolled back.
  [[nodiscard]] std::string newest_positions() {
    SimStore local(world_, here_.disk);
    const auto remote = state::open_remote_run(world_.objects, "main");
    std::string positions = "[]";
    std::pair<std::uint64_t, std::uint64_t> newest{0, 0};
    for (state::SnapshotCatalog* tier :
         std::initializer_list<state::SnapshotCatalog*>{&local, remote.get()}) {
      const auto list = tier->list();
      for (const state::SnapshotInfo& info : list.value()) {
        const auto reader = tier->open(info.id);
        const state::Manifest& manifest = reader.value()->manifest();
        if (std::pair(info.generation, info.commit) > newest &&
            world_.oracle.followed(
                manifest, std::numeric_limits<std::uint64_t>::max())) {
          newest = {info.generation, info.commit};
          positions = manifest.positions_json;
        }
      }
    }
    return positions;
  }

  void expect_all_consumed() {
    std::map<std::int32_t, nlohmann::json> positions;
    for (auto& position : nlohmann::json::parse(newest_positions())) {
      positions[position.at("partition").get<std::int32_t>()] = position;
    }
    const auto consumed = [&](const ingest::Address& address) {
      const nlohmann::json& position = positions[address.partition];
      if (position.is_null()) {
        return false;
      }
      const auto& above = position.at("done_above");
      return address.offset < position.at("next").get<std::int64_t>() ||
             std::ranges::any_of(above, [&](const nlohmann::json& range) {
               return range.at(0).get<std::int64_t>() <= address.offset &&
                      address.offset <= range.at(1).get<std::int64_t>();
             });
    };
    std::int64_t left = 0;
    const auto bounds = world_.stream->source()->bounds();
    for (const ingest::PartitionBounds& bound : bounds.value()) {
      for (const ingest::Record& record :
           world_.stream->records(bound.partition)) {
        const bool bad = as_text(record.payload).starts_with("bad");
        left += bad || consumed(record.address) ? 0 : 1;
      }
    }
    world_.oracle.expect(
        left < kBatchImages,
        fmt::format("{} records are left and nobody trains on them", left));
  }

  World world_;
  Tally& tally_;
  Machine here_;
  Machine there_;
  bool disk_lost_ = false;
  bool flipped_ = false;
  std::string flipped_id_;
};

/// The one seed that is asked for, to be looked at; nullopt: all.
std::optional<std::uint64_t> asked_for() {
  const char* text = std::getenv("SWAVD_SIM_SEED");
  return text == nullptr ? std::nullopt
                         : std::optional(std::strtoull(text, nullptr, 10));
}

/// The log of thousands of worlds is nobody's reading.
class Quiet {
 public:
  Quiet() { configure_log(LogLevel::kError, LogFormat::kText); }

  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

  ~Quiet() {
    configure_log(LogLevel::kInfo, LogFormat::kText);
    ::dup2(before_, STDERR_FILENO);
    ::close(before_);
  }

 private:
  /// Even errors are too many, and what they would say costs little.
  static int silence() {
    const int before = ::dup(STDERR_FILENO);
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(nowhere, STDERR_FILENO);
    ::close(nowhere);
    return before;
  }

  const int before_ = silence();
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kBlocks = 1;
constexpr std::uint64_t kSeeds = 100;  // of a block
#else
constexpr std::uint64_t kBlocks = 50;
constexpr std::uint64_t kSeeds = 2'000;
#endif

/// A block of seeds.
class Worlds : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void live_through(std::uint64_t first, std::uint64_t last) {
    const auto begin = std::chrono::steady_clock::now();
    for (std::uint64_t seed = first; seed <= last && failures_ < kEnough;
         ++seed) {
      const auto broken = Simulation(seed, tally_).run();
      if (!broken.empty()) {
        ++failures_;
        ADD_FAILURE() << "SWAVD_SIM_SEED=" << seed << " breaks: "
                      << fmt::format("{}", fmt::join(broken, "\n"));
      }
    }
    fmt::print(
        "seeds {}-{} in {:.1f} s: {} lives, {} deaths, {} rollbacks, {} "
        "snapshots\n",
        first,
        last,
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
            .count(),
        tally_.lives,
        tally_.deaths,
        tally_.rollbacks,
        tally_.snapshots);
    for (const auto& [end, count] : tally_.ends) {
      fmt::print("  {}: {}\n", end, count);
    }
  }

  /// Every kind of end has been lived through.
  void expect_variety() {
    for (const char* end :
         {"drained", "restart", "io", "unavailable", "fenced", "not_found"}) {
      EXPECT_GT(tally_.ends[end], 0U) << end;
    }
    EXPECT_GT(tally_.deaths, 0U);
    EXPECT_GT(tally_.rollbacks, 0U);
  }

 private:
  static constexpr int kEnough = 5;
  Tally tally_;
  int failures_ = 0;
};

TEST_P(Worlds, KeepEveryInvariant) {
  const std::uint64_t first = 1 + GetParam() * kSeeds;
  const std::uint64_t last = first + kSeeds - 1;
  if (const auto one = asked_for()) {
    if (first <= *one && *one <= last) {
      live_through(*one, *one);
    }
    return;
  }
  const Quiet quiet;
  live_through(first, last);
  if (kSeeds >= 500) {
    expect_variety();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Simulation,
    Worlds,
    ::testing::Range(std::uint64_t{0}, kBlocks));

TEST(Simulation, SameSeedIsTheSameWorld) {
  const Quiet quiet;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Tally once;
    Tally again;
    (void)Simulation(seed, once).run();
    (void)Simulation(seed, again).run();
    EXPECT_EQ(once.deaths, again.deaths) << seed;
    EXPECT_EQ(once.snapshots, again.snapshots) << seed;
    EXPECT_EQ(once.ends, again.ends) << seed;
  }
}

}  // namespace
}  // namespace swavd::sim
