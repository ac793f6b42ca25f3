#pragma once

#include "ops/base/result.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/world.h"

namespace swavd::sim {

/// One machine that runs the daemon.
struct Machine {
  Disk disk;
  /// What an operator does once all snapshots of a run are lost.
  bool new_run = false;
};

/// One process of the daemon on this machine, from its start to its end: the
/// product's restore, claim, assignment, training loop and snapshot keeper.
/// `rival` may live through a life of its own in the middle of this one;
/// nullptr: nobody does. Throws Died where the process dies.
[[nodiscard]] Status live(World& world, Machine& machine, Machine* rival);

/// What an operator's rollback does on this machine while no daemon runs on it:
/// goes back to one of its snapshots. Throws Died as `live` does.
[[nodiscard]] Status roll_back(World& world, Machine& machine);

}  // namespace swavd::sim
