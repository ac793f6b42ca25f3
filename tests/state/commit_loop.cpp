// Opens the local store in argv[1] and commits snapshots, keeping the last
// three, until it is killed. Prints the number of each that is committed.
#include <cstdio>
#include <string>

#include <fmt/format.h>

#include "state/snapshot_store.h"
#include "tests/state/sample.h"

namespace {

using swavd::Error;

int fail(const Error& error) {
  fmt::print(stderr, "{}\n", error.message);
  return swavd::exit_code(error.code);
}

}  // namespace

int main(int argc, char** argv) {
  using swavd::state::sample_manifest;
  using swavd::state::sample_state;
  if (argc != 2) {
    return 64;
  }
  auto store =
      swavd::state::open_local_store(swavd::state::small_store(argv[1]));
  if (!store.ok()) {
    return fail(store.error());
  }
  constexpr std::size_t kKept = 3;
  constexpr std::size_t kBytes = 9U << 20U;
  while (true) {
    const auto list = store.value()->list();
    if (!list.ok()) {
      return fail(list.error());
    }
    for (std::size_t i = 0; i + kKept < list.value().size(); ++i) {
      const auto dropped = store.value()->drop(list.value()[i].id);
      if (!dropped.ok()) {
        return fail(dropped.error());
      }
    }
    const std::uint64_t commit =
        list.value().empty() ? 1 : list.value().back().commit + 1;
    const auto id = store.value()->commit(
        sample_manifest(commit), sample_state(commit * 10, commit, kBytes));
    if (!id.ok()) {
      return fail(id.error());
    }
    const auto noted =
        store.value()->write_note("last", std::to_string(commit));
    if (!noted.ok()) {
      return fail(noted.error());
    }
    fmt::print("{}\n", commit);
    std::fflush(stdout);
  }
}
