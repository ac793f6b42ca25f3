// Readers of a folder that a follower keeps, beside a writer that never rests.
// SWAVD_TEST_SWITCHES says how many switches; 1,000 is the long form.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "ops/base/files.h"
#include "ops/base/sha256.h"
#include "ops/base/stage.h"
#include "state/manifest.h"
#include "tests/state/follow_rig.h"

namespace swavd::state {
namespace {

constexpr std::uint64_t kShortForm = 25;
constexpr std::size_t kReaders = 3;
/// How far the writer may be ahead of the follower.
constexpr std::uint64_t kAhead = 3;

std::uint64_t switches_wanted() {
  const char* text = std::getenv("SWAVD_TEST_SWITCHES");
  return text == nullptr ? kShortForm : std::strtoull(text, nullptr, 10);
}

/// What one reader has seen.
struct Seen {
  std::uint64_t reads = 0;
  std::uint64_t snapshots = 0;  ///< different ones
  std::string trouble;          ///< empty when there was none
};

/// Why what lies in `folder` is no whole snapshot; "" when it is. Written
/// without the code under test, as a consumer would.
std::string check_folder(const std::filesystem::path& folder, std::string& id) {
  const auto text = read_file(folder / "manifest.json");
  if (!text.ok()) {
    return text.error().message;
  }
  const auto manifest = parse_manifest(as_text(text.value()));
  if (!manifest.ok()) {
    return manifest.error().message;
  }
  id = snapshot_id(manifest.value().step, as_text(text.value()));
  for (const FileEntry& file : manifest.value().files) {
    if (file.name == kStateFile) {
      continue;
    }
    const auto bytes = read_file(folder / file.name);
    if (!bytes.ok()) {
      return bytes.error().message;
    }
    if (sha256_hex(bytes.value()) != file.sha256) {
      return file.name + " of " + id + " is not what the manifest says";
    }
  }
  return {};
}

/// Reads through the link until `stop`, at least once.
void read_on(
    const std::filesystem::path& link,
    const std::stop_token& stop,
    Seen& seen) {
  std::string last;
  do {
    std::error_code error;
    // The link is resolved once for all files, as the docs say.
    const auto folder = std::filesystem::canonical(link, error);
    if (error) {
      seen.trouble = "the link is gone: " + error.message();
      return;
    }
    std::string id;
    seen.trouble = check_folder(folder, id);
    ++seen.reads;
    seen.snapshots += id != last ? 1 : 0;
    last = id;
  } while (seen.trouble.empty() && !stop.stop_requested());
}

TEST(FollowRace, NoReaderEverSeesAMixOrADigestFailure) {
  const std::uint64_t wanted = switches_wanted();
  TemporaryFolder folder;
  auto store = open_object_store("file://" + (folder / "models"));
  ASSERT_TRUE(store.ok());
  RunWriter writer(*store.value());
  std::vector<std::string> written{writer.write(1)};
  FollowOptions options = eager();
  options.grace = std::chrono::seconds(10);
  options.part_bytes = 1000;  // several a file
  RunningFollower follower(
      "file://" + (folder / "models"), folder / "got", options);
  ASSERT_TRUE(follower.switches.pop());

  std::vector<Seen> seen(kReaders);
  std::vector<Stage> readers;
  for (Seen& one : seen) {
    readers.emplace_back("reader", [&](const std::stop_token& stop) {
      read_on(folder / "got/current", stop, one);
    });
  }
  // The writer drops what is old at once, so downloads lose their source in
  // the middle; it only waits when the follower is far behind.
  std::uint64_t switches = 1;
  std::size_t held = 0;  // index in `written`
  while (switches < wanted) {
    written.push_back(writer.write(written.size() + 1, "healthy", 4000));
    if (written.size() > 2) {
      ASSERT_TRUE(writer.run().drop(written[written.size() - 3]).ok());
    }
    while (held + kAhead < written.size() ||
           follower.switches.stats().depth > 0) {
      const auto made = follower.switches.pop();
      ASSERT_TRUE(made);
      const auto at = std::find(written.begin(), written.end(), made->id);
      ASSERT_NE(at, written.end());
      const auto index = static_cast<std::size_t>(at - written.begin());
      ASSERT_GT(index, held);  // never back, never the same again
      held = index;
      ++switches;
    }
  }
  readers.clear();
  const auto totals = follower.stop();
  ASSERT_TRUE(totals.ok());
  EXPECT_GE(totals.value().switches, wanted);
  EXPECT_EQ(totals.value().failures, 0U);
  for (const Seen& one : seen) {
    EXPECT_EQ(one.trouble, "");
    EXPECT_GT(one.snapshots, 1U);
  }
  std::uint64_t reads = 0;
  for (const Seen& one : seen) {
    reads += one.reads;
  }
  std::printf(
      "%llu switches, %llu commits, %llu verified reads by %zu readers\n",
      static_cast<unsigned long long>(totals.value().switches),
      static_cast<unsigned long long>(written.size()),
      static_cast<unsigned long long>(reads),
      kReaders);
}

}  // namespace
}  // namespace swavd::state
