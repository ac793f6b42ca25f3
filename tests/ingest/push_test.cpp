#include "ingest/push.h"

#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>
#include <unistd.h>

#include "ops/base/sha256.h"
#include "ops/base/stage.h"
#include "tests/ingest/memory_stream.h"

namespace swavd::ingest {

namespace {

namespace fs = std::filesystem;

class Push : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "pushXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }

  void TearDown() override { fs::remove_all(root_); }

  std::string write(const std::string& name, const std::string& text) {
    const fs::path path = root_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }

  std::vector<Record> published() const {
    std::vector<Record> all;
    for (std::int32_t p = 0; p < 4; ++p) {
      for (Record& record : stream_->records(p)) {
        all.push_back(std::move(record));
      }
    }
    return all;
  }

  std::set<std::string> published_names() const {
    std::set<std::string> names;
    for (const Record& record : published()) {
      names.emplace(find_header(record.headers, kHeaderName));
    }
    return names;
  }

  PushSummary pushed(
      const std::vector<std::string>& paths,
      const PushOptions& options = {}) {
    auto summary = push_paths(*sink_, paths, options, {});
    EXPECT_TRUE(summary.ok()) << summary.error().message;
    return summary.ok() ? summary.value() : PushSummary{};
  }

  fs::path root_;
  std::shared_ptr<testing::MemoryStream> stream_ =
      testing::MemoryStream::make("images", 4);
  std::unique_ptr<Sink> sink_ = stream_->sink();
};

}  // namespace

TEST_F(Push, RecordsAreKeyedAndMarkedByTheirContent) {
  write("in/cat/1.png", "abc");
  const PushSummary summary = pushed({(root_ / "in").string()});
  EXPECT_EQ(summary.published, 1U);
  EXPECT_EQ(summary.bytes, 3U);
  EXPECT_EQ(summary.rejected, 0U);
  const auto records = published();
  ASSERT_EQ(records.size(), 1U);
  const std::string digest = sha256_hex(as_bytes("abc"));
  EXPECT_EQ(records[0].key, digest.substr(0, 16));
  EXPECT_EQ(find_header(records[0].headers, kHeaderSha256), digest);
  EXPECT_EQ(find_header(records[0].headers, kHeaderName), "cat/1.png");
  EXPECT_EQ(as_text(records[0].payload), "abc");
}

TEST_F(Push, FoldersTarsAndListsAreTakenTogether) {
  write("in/a", "1");
  write("more/b", "2");
  const std::string tar = (root_ / "t.tar").string();
  const std::string command =
      "tar -C " + (root_ / "more").string() + " -cf " + tar + " b";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const std::string absolute = write("elsewhere/c", "3");
  write("lists/d", "4");
  const std::string list =
      write("lists/l.txt", absolute + "\r\n\nd\nabsent.png");
  const PushSummary summary = pushed({(root_ / "in").string(), tar, list});
  EXPECT_EQ(summary.published, 4U);
  EXPECT_EQ(summary.rejected, 1U);  // absent.png
  EXPECT_EQ(
      published_names(), (std::set<std::string>{"a", "b", absolute, "d"}));
}

TEST_F(Push, TheLastFilesOfEveryFolderAreHeldOut) {
  for (const std::string name : {"a", "b", "c"}) {
    write("in/" + name, name);
    write("more/1" + name, "1" + name);
  }
  PushOptions options;
  options.hold_out = 2;
  const PushSummary summary =
      pushed({(root_ / "in").string(), (root_ / "more").string()}, options);
  EXPECT_EQ(summary.published, 2U);
  EXPECT_EQ(published_names(), (std::set<std::string>{"a", "1a"}));
  const auto refused =
      push_paths(*sink_, {write("l.txt", "in/a")}, options, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(Push, AFileAboveTheLimitIsRejectedAndTheRestGoesOn) {
  write("in/big", std::string(101, 'x'));
  write("in/small", std::string(100, 'x'));
  PushOptions options;
  options.max_record_bytes = 100;
  const PushSummary summary = pushed({(root_ / "in").string()}, options);
  EXPECT_EQ(summary.published, 1U);
  EXPECT_EQ(summary.rejected, 1U);
  EXPECT_EQ(published_names(), (std::set<std::string>{"small"}));
}

TEST_F(Push, AFileThatTheStreamRefusesIsRejectedToo) {
  SinkOptions narrow;
  narrow.max_record_bytes = 10;
  sink_ = stream_->sink(narrow);
  write("in/big", std::string(11, 'x'));
  write("in/small", "x");
  const PushSummary summary = pushed({(root_ / "in").string()});
  EXPECT_EQ(summary.published, 1U);
  EXPECT_EQ(summary.rejected, 1U);
}

TEST_F(Push, TheRateIsABound) {
  for (int i = 0; i < 11; ++i) {
    write("in/" + std::to_string(i), std::to_string(i));
  }
  PushOptions options;
  options.records_per_second = 200;
  const PushSummary summary = pushed({(root_ / "in").string()}, options);
  EXPECT_EQ(summary.published, 11U);
  EXPECT_GE(summary.seconds, 10 / 200.0);
}

TEST_F(Push, AStopEndsItAfterTheRecordUnderWay) {
  for (int i = 0; i < 5; ++i) {
    write("in/" + std::to_string(i), std::to_string(i));
  }
  std::stop_source stop;
  PushOptions options;
  options.on_progress = [&stop](const PushSummary& so_far) {
    if (so_far.published == 2) {
      stop.request_stop();
    }
  };
  const auto summary =
      push_paths(*sink_, {(root_ / "in").string()}, options, stop.get_token());
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary.value().published, 2U);
}

TEST_F(Push, AStopEndsAWaitForTheNextRecord) {
  write("in/a", "1");
  write("in/b", "2");
  std::stop_source stop;
  PushOptions options;
  options.records_per_second = 1e-3;
  options.on_progress = [&stop](const PushSummary&) { stop.request_stop(); };
  const auto summary =
      push_paths(*sink_, {(root_ / "in").string()}, options, stop.get_token());
  ASSERT_TRUE(summary.ok());
  EXPECT_EQ(summary.value().published, 1U);
  EXPECT_LT(summary.value().seconds, 500);
}

TEST_F(Push, WhatEndsItIsSaidWithHowFarItCame) {
  write("in/a", "1");
  const auto absent =
      push_paths(*sink_, {(root_ / "in").string(), "/absent"}, {}, {});
  ASSERT_FALSE(absent.ok());
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  EXPECT_NE(absent.error().message.find("after 1 records"), std::string::npos);
  sink_->close();
  const auto closed = push_paths(*sink_, {(root_ / "in").string()}, {}, {});
  ASSERT_FALSE(closed.ok());
  EXPECT_EQ(closed.error().code, ErrorCode::kCancelled);
}

TEST(PushSummary, IsOneLineOfJson) {
  EXPECT_EQ(
      to_json(PushSummary{3, 1234567890123, 1, 2.5}),
      R"({"published":3,"bytes":1234567890123,"rejected":1,"seconds":2.500})");
}

}  // namespace swavd::ingest
