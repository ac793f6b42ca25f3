#include <algorithm>
#include <csignal>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ingest/log/envelope.h"
#include "ingest/log/log_writer.h"
#include "tests/ingest/log/log_test_kit.h"
#include "tests/ingest/log/numbered_record.h"

namespace swavd::ingest::testing {
namespace {

/// A running log_writer_program, with what it prints.
class WriterProcess {
 public:
  WriterProcess(const std::filesystem::path& folder, int first) {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<std::string> words = {
        SWAVD_LOG_WRITER_PROGRAM, folder, "images", std::to_string(first)};
    std::vector<char*> arguments;
    for (std::string& word : words) {
      arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    EXPECT_EQ(
        ::posix_spawn(
            &pid_,
            words[0].c_str(),
            &actions,
            nullptr,
            arguments.data(),
            environ),
        0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    out_ = ::fdopen(ends[0], "r");
  }

  WriterProcess(const WriterProcess&) = delete;
  WriterProcess& operator=(const WriterProcess&) = delete;

  ~WriterProcess() {
    (void)kill_now();
    (void)std::fclose(out_);
  }

  /// The next number of acknowledged records, -1 at the end of its output.
  int acknowledged() {
    int count = -1;
    return std::fscanf(out_, "%d", &count) == 1 ? count : -1;
  }

  /// Kills it without warning and gives what it had acknowledged by then.
  int kill_now() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
      pid_ = -1;
    }
    int last = -1;
    for (int count = acknowledged(); count >= 0; count = acknowledged()) {
      last = count;
    }
    return last;
  }

 private:
  pid_t pid_ = -1;
  std::FILE* out_ = nullptr;
};

void expect_numbered(const Record& record) {
  const OutRecord want = numbered_record(std::stoi(record.key));
  EXPECT_TRUE(record.payload == want.payload) << record.key;
  EXPECT_EQ(record.timestamp_ms, want.timestamp_ms);
}

/// All records of the stream; offsets are dense from 0.
std::map<std::pair<std::int32_t, std::int64_t>, std::string> read_all(
    const StreamUrl& url) {
  auto source = must_open_source(url);
  std::size_t count = 0;
  const auto bounds = source->bounds().value();
  for (const PartitionBounds& each : bounds) {
    EXPECT_EQ(each.begin, 0);
    count += static_cast<std::size_t>(each.end);
  }
  assign_all(*source);
  std::map<std::pair<std::int32_t, std::int64_t>, std::string> keys;
  std::map<std::int32_t, std::int64_t> next;
  for (const Record& record : take_records(*source, count)) {
    expect_numbered(record);
    EXPECT_EQ(record.address.offset, next[record.address.partition]++);
    keys[{record.address.partition, record.address.offset}] = record.key;
  }
  return keys;
}

TEST(LogCrash, AKilledWriterLosesNothingItHadAcknowledged) {
  const ScratchFolder folder;
  int first = 0;
  std::set<int> owed;
  std::map<std::pair<std::int32_t, std::int64_t>, std::string> served;
  std::unique_ptr<Source> reader;
  for (int round = 0; round < 4; ++round) {
    WriterProcess writer(folder.path(), first);
    int acknowledged = writer.acknowledged();
    ASSERT_GT(acknowledged, first);
    if (!reader) {
      reader = must_open_source(folder.url());
      assign_all(*reader);
    }
    // Reads on while the writer is killed at no particular moment.
    for (int i = 0; i < 200 + 37 * round; ++i) {
      const Record record = take_records(*reader, 1).at(0);
      expect_numbered(record);
      served[{record.address.partition, record.address.offset}] = record.key;
    }
    acknowledged = std::max(acknowledged, writer.kill_now());
    for (int i = first; i < acknowledged; ++i) {
      owed.insert(i);
    }
    first = acknowledged + 100000;
  }
  { auto sink = must_open_sink(folder.url(), partitions(3)); }
  const auto all = read_all(folder.url());
  std::set<int> kept;
  for (const auto& [address, key] : all) {
    EXPECT_TRUE(kept.insert(std::stoi(key)).second) << key << " is there twice";
  }
  for (const int i : owed) {
    EXPECT_EQ(kept.count(i), 1U) << i << " was acknowledged";
  }
  for (const auto& [address, key] : served) {
    EXPECT_EQ(all.at(address), key) << "served, then gone";
  }
}

std::filesystem::path newest_wal(const LogPaths& paths) {
  std::filesystem::path newest;
  for (const auto& entry : std::filesystem::directory_iterator(paths.wal)) {
    newest = std::max(newest, entry.path());
  }
  return newest;
}

TEST(LogCrash, APowerCutTakesBackOnlyWhatNoReaderHasSeen) {
  const ScratchFolder folder;
  const LogPaths paths = log_paths(folder.url()).value();
  auto reader = std::unique_ptr<Source>();
  std::uintmax_t synced = 0;
  {
    LogWriterOptions options;
    options.partitions = 1;
    auto writer = std::move(LogWriter::open(paths, options)).value();
    reader = must_open_source(folder.url());
    assign_all(*reader);
    for (int i = 0; i < 20; ++i) {
      const OutRecord record = numbered_record(i);
      const StoredRecord stored{0, encode_head(record), record.payload};
      ASSERT_TRUE(writer->append({&stored, 1}).ok());
      if (i < 15) {
        ASSERT_TRUE(writer->mark_durable().ok());
        synced = std::filesystem::file_size(newest_wal(paths));
      }
    }
    EXPECT_EQ(take_records(*reader, 15).size(), 15U);
    EXPECT_TRUE(is_idle(*reader));
  }
  reader.reset();
  // The tail that was never synced is torn off, in the middle of a record.
  std::filesystem::resize_file(newest_wal(paths), synced + 700);
  auto sink = must_open_sink(folder.url(), partitions(1));
  auto after = must_open_source(folder.url());
  EXPECT_EQ(after->bounds().value()[0].end, 15);
  must_publish(*sink, numbered_record(100));
  must_flush(*sink);
  assign_all(*after);
  const auto records = take_records(*after, 16);
  EXPECT_EQ(records.at(15).key, "100");
  EXPECT_EQ(records.at(15).address.offset, 15);
}

TEST(LogCrash, AcknowledgedRecordsThatTheDiskLostAreReported) {
  const ScratchFolder folder;
  const LogPaths paths = log_paths(folder.url()).value();
  for (int round = 0; round < 2; ++round) {
    auto sink = must_open_sink(folder.url(), partitions(1));
    must_publish(*sink, numbered_record(round));
    must_flush(*sink);
  }
  {
    rocksdb::DB* db = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    ASSERT_TRUE(rocksdb::DB::Open(
                    writer_db_options(paths, 1, {}),
                    paths.database,
                    log_families(1, {}),
                    &handles,
                    &db)
                    .ok());
    LogTables tables(std::unique_ptr<rocksdb::DB>(db), handles);
    // As if five records more had been acknowledged.
    const std::string seven("\7\0\0\0\0\0\0\0", 8);
    ASSERT_TRUE(db->Put({}, tables.meta(), durable_end_key(0), seven).ok());
  }
  const auto sink = open_log_sink(folder.url(), partitions(1));
  ASSERT_FALSE(sink.ok());
  EXPECT_EQ(sink.error().code, ErrorCode::kCorruption);
  EXPECT_NE(
      sink.error().message.find("partition 0 ends at offset 2 but 7"),
      std::string::npos)
      << sink.error().message;
}

}  // namespace
}  // namespace swavd::ingest::testing
