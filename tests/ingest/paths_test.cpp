#include "ingest/paths.h"

#include <filesystem>
#include <fstream>
#include <memory>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/base/sha256.h"

namespace swavd::ingest {

namespace {

namespace fs = std::filesystem;

using namespace std::chrono_literals;

/// A folder of its own for each test.
class Paths : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "pathsXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }

  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& name, const std::string& text) {
    const fs::path path = root_ / "in" / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  /// Runs tar over "in"; gives the archive's path.
  std::string tar(const std::string& flags, const std::string& names = ".") {
    const std::string out = (root_ / "out.tar").string();
    const std::string command = "tar -C " + (root_ / "in").string() + " " +
                                flags + " -cf " + out + " " + names;
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return out;
  }

  std::string folder() const { return (root_ / "in").string(); }

  static std::vector<PathFile> all(const std::string& path) {
    std::vector<PathFile> files;
    const Status status = for_each_file(path, [&files](PathFile&& file) {
      files.push_back(std::move(file));
      return true;
    });
    EXPECT_TRUE(status.ok()) << status.error().message;
    return files;
  }

  static std::vector<std::string> names(const std::vector<PathFile>& files) {
    std::vector<std::string> list;
    for (const PathFile& file : files) {
      list.push_back(file.name);
    }
    return list;
  }

  static ErrorCode failure(const std::string& path) {
    const Status status = for_each_file(path, [](PathFile&&) { return true; });
    if (status.ok()) {
      ADD_FAILURE() << path << " was accepted";
      return ErrorCode::kInternal;
    }
    EXPECT_NE(status.error().message.find(path), std::string::npos);
    return status.error().code;
  }

  static std::unique_ptr<Source> opened(
      const std::string& path,
      const PathSourceOptions& options) {
    auto source = open_path_source(path, options);
    EXPECT_TRUE(source.ok()) << source.error().message;
    Position start;
    start.topic = path;
    EXPECT_TRUE(source.value()->assign({start}).ok());
    return std::move(source).value();
  }

  static std::vector<Record> drained(Source& source) {
    std::vector<Record> records;
    while (true) {
      auto polled = source.poll(0ms);
      EXPECT_TRUE(polled.ok()) << polled.error().message;
      if (!polled.ok() || polled.value().state == PollState::kEnd) {
        return records;
      }
      records.push_back(std::move(polled).value().record);
    }
  }

  static std::string sequence(
      const std::string& path,
      const PathSourceOptions& options) {
    std::string text;
    for (const Record& record : drained(*opened(path, options))) {
      text += as_text(record.payload);
    }
    return text;
  }

  /// a…f in files of these names, written to a tar in the order c a f e b d.
  std::string shuffled_tar() {
    for (const char c : std::string("abcdef")) {
      write(std::string(1, c) + "/x", std::string(1, c));
    }
    return tar("", "c/x a/x f/x e/x b/x d/x");
  }

  fs::path root_;
};

}  // namespace

TEST_F(Paths, AFolderIsReadInBytewiseOrderOfTheWholeNames) {
  write("b/2.png", "2");
  write("b/10.png", "10");
  write("b.png", "b");
  write("B/1.png", "B1");
  write("a/deep/er/1.png", "deep");
  const auto files = all(folder());
  EXPECT_EQ(
      names(files),
      (std::vector<std::string>{
          "B/1.png", "a/deep/er/1.png", "b.png", "b/10.png", "b/2.png"}));
  EXPECT_EQ(as_text(files[1].bytes), "deep");
  EXPECT_EQ(files[1].label, "a");
  EXPECT_EQ(files[2].label, "");
}

TEST_F(Paths, HiddenFilesAndFoldersAreLeftOut) {
  write(".hidden", "x");
  write("a/._resource", "x");
  write(".git/config", "x");
  write("a/seen", "x");
  const std::vector<std::string> want = {"a/seen"};
  EXPECT_EQ(names(all(folder())), want);
  EXPECT_EQ(names(all(tar(""))), want);
}

TEST_F(Paths, LinksToFilesAreReadAndDanglingOnesAreNot) {
  write("real", "bytes");
  fs::create_symlink("real", root_ / "in" / "link");
  fs::create_symlink("nowhere", root_ / "in" / "dangling");
  fs::create_directory_symlink("..", root_ / "in" / "loop");
  const auto files = all(folder());
  EXPECT_EQ(names(files), (std::vector<std::string>{"link", "real"}));
  EXPECT_EQ(as_text(files[0].bytes), "bytes");
}

TEST_F(Paths, EveryTarFormatGivesTheSameFiles) {
  const std::string longest(180, 'n');
  write("cats/" + longest, std::string(700000, 'c'));
  write("dogs/\xc3\xa9.png", "accent");
  write("empty", "");
  const auto want = all(folder());
  ASSERT_EQ(want.size(), 3U);
  for (const std::string flags :
       {"--format=pax --sort=name",
        "--format=gnu --sort=name",
        "--format=pax --sort=name -z"}) {
    const auto got = all(tar(flags));
    EXPECT_EQ(names(got), names(want)) << flags;
    for (std::size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
      EXPECT_EQ(got[i].bytes, want[i].bytes) << flags;
      EXPECT_EQ(got[i].label, want[i].label) << flags;
    }
  }
}

TEST_F(Paths, ATarIsReadInItsOwnOrder) {
  const auto files = all(shuffled_tar());
  EXPECT_EQ(
      names(files),
      (std::vector<std::string>{"c/x", "a/x", "f/x", "e/x", "b/x", "d/x"}));
}

TEST_F(Paths, TheVisitorEndsTheWalk) {
  write("a", "1");
  write("b", "2");
  int seen = 0;
  ASSERT_TRUE(
      for_each_file(folder(), [&seen](PathFile&&) { return ++seen < 1; }).ok());
  EXPECT_EQ(seen, 1);
}

TEST_F(Paths, WhatIsNoPathIsSaid) {
  write("picture.png", "\x89PNG\r\n\x1a\nnot a tar at all");
  EXPECT_EQ(failure(folder() + "/picture.png"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(failure(folder() + "/absent"), ErrorCode::kNotFound);
  EXPECT_EQ(failure("/dev/null"), ErrorCode::kInvalidArgument);
}

TEST_F(Paths, ATruncatedTarIsCorruptAfterTheWholeMembers) {
  write("a", std::string(2000, 'a'));
  write("b", std::string(200000, 'b'));
  const std::string path = tar("--sort=name");
  fs::resize_file(path, 60000);
  std::vector<std::string> seen;
  const Status status = for_each_file(path, [&seen](PathFile&& file) {
    seen.push_back(file.name);
    return true;
  });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kCorruption);
  EXPECT_EQ(seen, (std::vector<std::string>{"a"}));
}

TEST_F(Paths, APathSourceGivesAddressesNamesAndLabels) {
  write("cat/1.png", "one");
  write("dog/2.png", "two");
  const auto records = drained(*opened(folder(), {}));
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].address, (Address{folder(), 0, 1}));
  EXPECT_EQ(records[1].label, "dog");
  EXPECT_EQ(find_header(records[1].headers, kHeaderName), "dog/2.png");
  EXPECT_EQ(as_text(records[1].payload), "two");
}

TEST_F(Paths, ATarSourceKeepsItsOrderUnlessSorted) {
  const std::string path = shuffled_tar();
  EXPECT_EQ(sequence(path, {}), "cafebd");
  EXPECT_EQ(sequence(path, {.sorted = true}), "abcdef");
}

TEST_F(Paths, PartsOfAPathAreTakenFromItsEnds) {
  const std::string path = shuffled_tar();
  EXPECT_EQ(sequence(path, {.limit = 2}), "ca");
  EXPECT_EQ(sequence(path, {.drop_last = 2}), "cafe");
  EXPECT_EQ(sequence(path, {.take_last = 2}), "bd");
  EXPECT_EQ(sequence(path, {.drop_last = 100}), "");
  EXPECT_EQ(sequence(path, {.take_last = 100}), "cafebd");
  EXPECT_EQ(sequence(path, {.sorted = true, .take_last = 2}), "ef");
  EXPECT_EQ(sequence(path, {.sorted = true, .limit = 1, .take_last = 3}), "d");
  EXPECT_EQ(sequence(folder(), {.drop_last = 2}), "abcd");
  EXPECT_EQ(sequence(folder(), {.take_last = 2}), "ef");
}

TEST_F(Paths, APathSourceResumesAtAPosition) {
  const std::string path = shuffled_tar();
  for (const bool sorted : {false, true}) {
    auto source = open_path_source(path, {.sorted = sorted}).value();
    Position position;
    position.topic = path;
    position.next = 2;
    position.done_above = {{3, 3}};
    position.last =
        Fingerprint{3, -1, sha256_hex(as_bytes(sorted ? "d" : "e"))};
    ASSERT_TRUE(source->assign({position}).ok());
    std::string text;
    for (const Record& record : drained(*source)) {
      text += as_text(record.payload);
    }
    EXPECT_EQ(text, sorted ? "cef" : "fbd");
  }
}

TEST_F(Paths, APathSourceRefusesAPositionThatDoesNotFit) {
  const std::string path = shuffled_tar();
  Position position;
  position.topic = path;
  position.next = 7;
  auto source = open_path_source(path, {}).value();
  EXPECT_EQ(source->assign({position}).error().code, ErrorCode::kNotFound);
  position.next = 2;
  position.last = Fingerprint{1, -1, std::string(64, '0')};
  EXPECT_EQ(source->assign({position}).error().code, ErrorCode::kCorruption);
  EXPECT_EQ(source->bounds().value().front().end, 6);
}

TEST_F(Paths, AClosedPathSourceIsCancelled) {
  write("a", "1");
  auto source = opened(folder(), {});
  source->close();
  EXPECT_EQ(source->poll(0ms).error().code, ErrorCode::kCancelled);
}

}  // namespace swavd::ingest
