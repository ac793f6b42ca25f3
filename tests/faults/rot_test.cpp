// Bits that flip and files that end early, of every class of file there is:
// what is damaged is never trained on; it is passed over with a reason, or the
// start is refused with one, and never does a run begin at step 0 over it.

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/scale.h"
#include "tests/faults/fault_site.h"
#include "tests/faults/matrix.h"

namespace swavd::faults {
namespace {

namespace fs = std::filesystem;

enum class Damage { kFlip, kCut };

/// A class of files: below the site, the part of the name that tells it.
struct FileClass {
  const char* name;    ///< of the test
  const char* title;   ///< of the row
  const char* folder;  ///< "data": the local tier; "models": the remote one
  const char* needle;  ///< in the path
};

constexpr FileClass kClasses[] = {
    {"sst", "a snapshot's table (SST)", "data", ".sst"},
    {"manifest", "RocksDB's MANIFEST", "data", "/MANIFEST-"},
    {"current", "RocksDB's CURRENT", "data", "/CURRENT"},
    {"wal", "RocksDB's log (WAL)", "data", ".log"},
    {"options", "RocksDB's OPTIONS", "data", "/OPTIONS-"},
    {"remote_model",
     "model.safetensors in the object store",
     "models",
     "model.safetensors"},
    {"remote_config",
     "config.json in the object store",
     "models",
     "/config.json"},
    {"remote_manifest",
     "manifest.json in the object store",
     "models",
     "manifest.json"},
    {"remote_lineage",
     "a lineage entry in the object store",
     "models",
     "/lineage/"},
    {"remote_generation",
     "generation.json in the object store",
     "models",
     "generation.json"},
    {"remote_latest",
     "latest.json in the object store",
     "models",
     "latest.json"}};

class Rot : public ::testing::TestWithParam<FileClass> {
 protected:
  Rot() : faults_(with_store()) {}

  [[nodiscard]] e2e::SiteOptions with_store() const {
    e2e::SiteOptions options = FaultSite::every_step();
    options.object_store = "file://" + (store_.path() / "models").string();
    return options;
  }

  /// Six snapshots in both tiers, and a copy of all to come back to.
  void make_run() {
    const auto daemon = faults_.recover();
    for (int step = 0; step < 6; ++step) {
      faults_.feed(kBatch);
      ASSERT_TRUE(faults_.catch_up(*daemon));
    }
    ASSERT_EQ(e2e::Site::drain(*daemon), 0);
    copy(tier("data"), backup("data"));
    copy(tier("models"), backup("models"));
  }

  [[nodiscard]] fs::path tier(const std::string& name) const {
    return name == "data" ? fs::path(faults_.site().data_dir())
                          : store_.path() / name;
  }

  [[nodiscard]] fs::path backup(const std::string& name) const {
    return backup_.path() / name;
  }

  static void copy(const fs::path& from, const fs::path& to) {
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive);
  }

  /// The newest of the class that holds anything.
  [[nodiscard]] fs::path victim() const {
    std::vector<fs::path> found;
    for (const auto& entry :
         fs::recursive_directory_iterator(tier(GetParam().folder))) {
      if (entry.is_regular_file() && entry.file_size() > 0 &&
          entry.path().string().find(GetParam().needle) != std::string::npos) {
        found.push_back(entry.path());
      }
    }
    std::ranges::sort(found);
    return found.empty() ? fs::path() : found.back();
  }

  static void harm(const fs::path& file, Damage damage, double where) {
    const auto size = fs::file_size(file);
    const auto at = std::min<std::uintmax_t>(
        static_cast<std::uintmax_t>(where * static_cast<double>(size)),
        size - 1);
    if (damage == Damage::kCut) {
      fs::resize_file(file, at);
      return;
    }
    std::fstream bytes(file, std::ios::binary | std::ios::in | std::ios::out);
    bytes.seekg(static_cast<std::streamoff>(at));
    const int byte = bytes.get();
    bytes.seekp(static_cast<std::streamoff>(at));
    bytes.put(static_cast<char>(byte ^ 0x10));
  }

  /// The start after the damage: refused with a reason, or it goes on from
  /// what is whole, and what it then trains is exact.
  void start_and_judge() {
    faults_.feed(kBatch);
    const auto daemon = faults_.start();
    std::uint64_t images = 0;
    ASSERT_TRUE(e2e::wait_until(e2e::kPatience, [&] {
      const auto status = e2e::http_status(faults_.site().port());
      images = status ? status->value("images", std::uint64_t{0}) : 0;
      return !daemon->running() ||
             (status && status->value("state", "") == "training");
    })) << daemon->err();
    const std::string log = daemon->err();
    EXPECT_EQ(log.find("new_run"), std::string::npos) << log;
    if (!daemon->running()) {
      const int ended = daemon->wait(e2e::kPatience).value_or(-1);
      EXPECT_TRUE(ended == 74 || ended == 69) << ended << log;
      EXPECT_NE(log.find("error "), std::string::npos) << log;
      ++refused_;
      return;
    }
    if (log.find("passing over snapshot") != std::string::npos) {
      faults_.expect_reason(
          *daemon,
          R"(swavd_restore_skipped_snapshots_total{reason="corruption"})",
          "corruption");
      ++passed_over_;
    }
    EXPECT_GE(images, kBatch) << "began anew: " << log;
    ASSERT_TRUE(faults_.catch_up(*daemon));
    daemon->signal(SIGTERM);
    const auto ended = daemon->wait(e2e::kPatience);
    EXPECT_TRUE(ended == 0 || ended == 74 || ended == 76) << daemon->err();
    if (ended == 0) {
      faults_.check_newest();
    }
  }

  ingest::testing::TempFolder store_;
  ingest::testing::TempFolder backup_;
  FaultSite faults_;
  int refused_ = 0;
  int passed_over_ = 0;
};

TEST_P(Rot, IsNeverTrainedOn) {
  const FileClass& what = GetParam();
  Row row(
      fmt::format("bit flips and truncation: {}", what.title),
      "passed over or refused with its reason, never trained on, never step 0");
  ASSERT_NO_FATAL_FAILURE(make_run());
  const std::uint64_t places = repeats(8, 1);
  for (const Damage damage : {Damage::kFlip, Damage::kCut}) {
    for (std::uint64_t i = 0; i < places && !HasFailure(); ++i) {
      const double where =
          (static_cast<double>(i) + 0.5) / static_cast<double>(places);
      SCOPED_TRACE(fmt::format(
          "{} at {:.2f}", damage == Damage::kFlip ? "flip" : "cut", where));
      copy(backup("data"), tier("data"));
      copy(backup("models"), tier("models"));
      if (std::string_view(what.folder) == "models") {
        fs::remove_all(tier("data") / "snapshots");  // the remote tier alone
      }
      const fs::path file = victim();
      if (file.empty()) {
        continue;  // not every class is there in every run
      }
      harm(file, damage, where);
      start_and_judge();
      row.injected();
    }
  }
  fmt::print(
      "{}: {} refused, {} passed over\n", what.name, refused_, passed_over_);
  EXPECT_GT(row.injections(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Files,
    Rot,
    ::testing::ValuesIn(kClasses),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace swavd::faults
