// `swavd validate`: every mistake of a configuration at once.

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/e2e/process.h"
#include "tests/e2e/site.h"
#include "tests/ingest/crawl/temp_folder.h"

namespace swavd::e2e {
namespace {

using ingest::testing::TempFolder;

Finished validate(const std::string& file) {
  return run_program("swavd", {"validate", "--config", file});
}

/// How many lines begin with "FILE:".
std::ptrdiff_t lines_about(const std::string& file, const std::string& text) {
  std::ptrdiff_t count = 0;
  for (auto at = text.find("\n" + file + ":"); at != std::string::npos;
       at = text.find("\n" + file + ":", at + 1)) {
    ++count;
  }
  return count;
}

TEST(Validate, NamesFiveMistakesWithTheirLinesAndExits78) {
  const TempFolder folder;
  const std::string file = folder.write_lines(
      "swavd.toml",
      {"run = \"main\"",
       "data_dir = \"not/absolute\"",
       "[stream]",
       "url = \"kafak://broker:9092/images\"",
       "[loader]",
       "batch_image = 128",
       "workers = -1",
       "[model]",
       "trainer = \"leger\""});
  const Finished finished = validate(file);
  EXPECT_EQ(finished.status, 78);
  EXPECT_EQ(finished.out, "");
  for (const char* mistake :
       {":2: data_dir: ",
        ":4: stream.url: ",
        ":6: loader.batch_image: ",
        ":7: loader.workers: ",
        ":9: model.trainer: "}) {
    EXPECT_NE(finished.err.find(file + mistake), std::string::npos)
        << mistake << "\n"
        << finished.err;
  }
  EXPECT_EQ(lines_about(file, finished.err), 5) << finished.err;
  EXPECT_NE(finished.err.find("batch_images"), std::string::npos)
      << "no suggestion: " << finished.err;
}

TEST(Config, EndsWithTheScheduleAndIsStillAConfiguration) {
  const TempFolder folder;
  const std::string file = folder.write_lines(
      "swavd.toml",
      {"data_dir = \"" + (folder.path() / "data").string() + "\"",
       "[loader]",
       "batch_images = 128",
       "[schedule]",
       "kind = \"constant\"",
       "learning_rate = 1.5",
       "warmup_images = 0"});
  const Finished shown = run_program("swavd", {"config", "--config", file});
  ASSERT_EQ(shown.status, 0) << shown.err;
  const std::string schedule =
      "schedule: constant: no warm-up, then 1.5 for ever\n";
  EXPECT_NE(shown.out.find("\n# " + schedule), std::string::npos) << shown.out;
  EXPECT_NE(
      shown.out.find("\n# warning: the first step already has the whole rate"),
      std::string::npos)
      << shown.out;
  // What it prints is TOML and means the same.
  const std::string again = folder.write_lines("again.toml", {shown.out});
  const Finished valid =
      run_program("swavd", {"validate", "--no-environment", "--config", again});
  EXPECT_EQ(valid.status, 0) << valid.err;
  EXPECT_NE(valid.out.find(schedule), std::string::npos) << valid.out;
}

TEST(Validate, SyntaxErrorStandsAlone) {
  const TempFolder folder;
  const std::string file = folder.write_lines(
      "swavd.toml", {"data_dir = \"not/absolute\"", "[stream", "nonsense = 1"});
  const Finished finished = validate(file);
  EXPECT_EQ(finished.status, 78);
  EXPECT_EQ(lines_about(file, finished.err), 1) << finished.err;
  EXPECT_NE(finished.err.find(file + ":2: "), std::string::npos)
      << finished.err;
}

TEST(Validate, GoodConfigurationExits0) {
  const Site site;
  const Finished finished = validate(site.config());
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_EQ(finished.err, "");
  EXPECT_NE(finished.out.find("valid"), std::string::npos);
}

TEST(Validate, WhatIsDoubtfulIsToldWithItsLineAndExits0) {
  SiteOptions options;
  options.preset = "tiny";
  options.more = "[swav]\nqueue_images = 65\n";
  const Site site(options);
  const Finished finished = validate(site.config());
  EXPECT_EQ(finished.status, 0) << finished.err;
  EXPECT_NE(
      finished.err.find("warning: " + site.config() + ":"), std::string::npos)
      << finished.err;
  EXPECT_NE(finished.err.find("swav.queue_images: 65"), std::string::npos)
      << finished.err;
  EXPECT_NE(finished.err.find("64 are kept"), std::string::npos);
  EXPECT_NE(
      finished.err.find("128 images over 300 prototypes"), std::string::npos)
      << finished.err;
}

TEST(Validate, ARunThatDoesNotFitIntoMemoryIsRefusedWithTheArithmetic) {
  const TempFolder folder;
  const std::string file = folder.write_lines(
      "swavd.toml",
      {"data_dir = \"" + (folder.path() / "data").string() + "\"",
       "[loader]",
       "batch_images = 1048576"});
  const Finished finished = validate(file);
  EXPECT_EQ(finished.status, 78);
  for (const char* part :
       {"does not fit into",
        "activations of the trunk",
        "loader.batch_images"}) {
    EXPECT_NE(finished.err.find(part), std::string::npos) << finished.err;
  }
}

TEST(Validate, MissingFileExits78AndIsNamed) {
  const Finished finished = validate("/nowhere/swavd.toml");
  EXPECT_EQ(finished.status, 78);
  EXPECT_NE(finished.err.find("/nowhere/swavd.toml"), std::string::npos);
}

TEST(Usage, UnknownCommandExits64) {
  for (const char* program : {"swavd", "swavd-crawl", "swavctl"}) {
    EXPECT_EQ(run_program(program, {"no-such-command"}).status, 64) << program;
    EXPECT_EQ(run_program(program, {}).status, 64) << program;
    EXPECT_EQ(run_program(program, {"--help"}).status, 0) << program;
  }
}

}  // namespace
}  // namespace swavd::e2e
