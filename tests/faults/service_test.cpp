// Signals in every state, an object store that cannot be written, clocks that
// jump, scrapers that never finish, a log nobody reads.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/http_get.h"
#include "tests/e2e/scale.h"
#include "tests/faults/fault_site.h"
#include "tests/faults/injection.h"
#include "tests/faults/matrix.h"

namespace swavd::faults {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr int kExitRestart = 75;

class Signals : public ::testing::Test {
 protected:
  milliseconds some_time(int most) {
    return milliseconds(std::uniform_int_distribution<int>(0, most)(random_));
  }

  /// Ended by itself in time, undamaged: with 0, or killed by a signal that
  /// came before there was a handler.
  void expect_clean_end(e2e::Process& daemon, bool second) {
    const auto ended = daemon.wait(e2e::kPatience);
    ASSERT_TRUE(ended) << "SIGTERM does not end it: " << daemon.err();
    EXPECT_TRUE(
        ended == 0 || ended == -SIGTERM || (second && ended == kExitRestart))
        << *ended << daemon.err();
    faults_.heed(daemon);
  }

  FaultSite faults_;
  std::mt19937 random_{20261124};
};

TEST_F(Signals, SigtermAtAnyMoment) {
  Row row(
      "SIGTERM at any moment from exec on",
      "ends within its time with status 0 and the last step committed");
  const std::uint64_t times = repeats(60, 6);
  for (std::uint64_t i = 0; i < times && !HasFailure(); ++i) {
    SCOPED_TRACE(fmt::format("signal {}", i));
    faults_.feed(2 * kBatch);
    const auto daemon = faults_.start();
    (void)daemon->wait(some_time(250));  // the moment is the point
    daemon->signal(SIGTERM);
    expect_clean_end(*daemon, false);
    row.injected();
  }
  faults_.finish();
}

TEST_F(Signals, SecondSigterm) {
  Row row(
      "a second SIGTERM at any moment of a drain",
      "ends at once, with 0 or 75, and nothing is damaged");
  const std::uint64_t times = repeats(60, 6);
  for (std::uint64_t i = 0; i < times && !HasFailure(); ++i) {
    SCOPED_TRACE(fmt::format("signal {}", i));
    faults_.feed(2 * kBatch);
    const auto daemon = faults_.start();
    (void)daemon->wait(some_time(250));
    daemon->signal(SIGTERM);
    (void)daemon->wait(some_time(10));
    daemon->signal(SIGTERM);
    expect_clean_end(*daemon, true);
    row.injected(2);
  }
  faults_.finish();
}

TEST_F(Signals, SigtermWhilePausedAndWhileIdle) {
  Row row(
      "SIGTERM while paused, and while the stream is empty",
      "ends with status 0");
  for (const bool paused : {false, true}) {
    const auto daemon = faults_.recover();
    ASSERT_TRUE(faults_.catch_up(*daemon));
    if (paused) {
      ASSERT_EQ(
          e2e::swavctl({"pause", "--socket", faults_.site().socket()}).status,
          0);
      ASSERT_TRUE(faults_.site().wait_for_state(*daemon, "paused"));
      faults_.feed(kBatch);
    }
    EXPECT_EQ(e2e::Site::drain(*daemon), 0);
    row.injected();
  }
  faults_.finish();
}

TEST_F(Signals, StoppedAndContinued) {
  Row row(
      "SIGSTOP in the middle of steps and commits, then SIGCONT",
      "goes on as if nothing had been");
  const auto daemon = faults_.recover();
  const std::uint64_t times = repeats(30, 5);
  for (std::uint64_t i = 0; i < times; ++i) {
    faults_.feed(kBatch);
    (void)daemon->wait(some_time(20));
    daemon->signal(SIGSTOP);
    (void)daemon->wait(some_time(20));
    daemon->signal(SIGCONT);
    row.injected();
  }
  ASSERT_TRUE(faults_.catch_up(*daemon));
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  faults_.heed(*daemon);
  faults_.finish();
}

TEST(ObjectStore, CannotBeWritten) {
  Row row(
      "the object store's disk cannot be written, then can",
      "training and local snapshots go on; uploads catch up by themselves");
  const ingest::testing::TempFolder store;
  const fs::path models = store.path() / "models";
  e2e::SiteOptions options = FaultSite::every_step();
  options.object_store = "file://" + models.string();
  FaultSite faults(options);
  const auto daemon = faults.recover();
  faults.feed(kBatch);
  ASSERT_TRUE(faults.catch_up(*daemon));
  ASSERT_TRUE(e2e::wait_until(e2e::kPatience, [&] {
    return fs::exists(models / "main" / "latest.json");
  }));
  const std::uint64_t times = repeats(5, 1);
  for (std::uint64_t i = 0; i < times; ++i) {
    fs::rename(models, store.path() / "away");
    std::ofstream(models) << "a file where the folder was";
    faults.feed(kBatch);
    ASSERT_TRUE(faults.catch_up(*daemon));
    faults.expect_reason(
        *daemon,
        R"(swavd_snapshot_failures_total{reason="io",tier="object"})",
        "io");
    row.injected();
    fs::remove(models);
    fs::rename(store.path() / "away", models);
    ASSERT_TRUE(e2e::wait_until(e2e::kPatience, [&] {
      const auto page = e2e::http_get(faults.site().port(), "/metrics");
      return page && page->body.find("\nswavd_snapshot_uploads_pending 0\n") !=
                         std::string::npos;
    }));
  }
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  faults.heed(*daemon);
  EXPECT_EQ(
      e2e::list_snapshots("file://" + (models / "main").string())
          .back()
          .at("id"),
      e2e::list_snapshots(faults.site().data_dir()).back().at("id"));
  faults.finish();
}

class KillInUpload : public ::testing::TestWithParam<const char*> {};

TEST_P(KillInUpload, AtEveryCallUntilARunPassesUntouched) {
  Row row(
      fmt::format("kill -9 at the N-th {} of the upload thread", GetParam()),
      "the remote tier never shows half a snapshot; the next start goes on");
  const ingest::testing::TempFolder store;
  e2e::SiteOptions options = FaultSite::every_step();
  options.object_store = "file://" + (store.path() / "models").string();
  FaultSite faults(options);
  bool touched = true;
  for (std::uint64_t call = 1; touched && !::testing::Test::HasFailure();
       call += repeats(1, 5)) {
    SCOPED_TRACE(fmt::format("{} {}", GetParam(), call));
    const auto daemon = faults.recover();
    ASSERT_TRUE(faults.catch_up(*daemon));
    const auto strace = tamper(
        thread_named(daemon->pid(), "snapshot-upload"),
        {fmt::format("{}:signal=KILL:when={}", GetParam(), call)},
        faults.site().path(fmt::format("strace{}", call)));
    faults.feed(kBatch);
    (void)e2e::wait_until(e2e::kPatience, [&] {
      return !daemon->running() ||
             daemon->err().find("is durable") != std::string::npos;
    });
    daemon->signal(SIGTERM);
    const auto ended = daemon->wait(e2e::kPatience);
    ASSERT_TRUE(ended == 0 || ended == -SIGKILL) << daemon->err();
    touched = ended == -SIGKILL;
    row.injected(touched ? 1 : 0);
    faults.heed(*daemon);
    const std::string run = "file://" + (store.path() / "models/main").string();
    if (fs::exists(store.path() / "models/main/latest.json")) {
      EXPECT_EQ(e2e::swavctl({"snapshots", "verify", run}).status, 0);
    }
  }
  EXPECT_GT(row.injections(), 0U);
  faults.finish();
}

INSTANTIATE_TEST_SUITE_P(
    SystemCalls,
    KillInUpload,
    ::testing::Values("write", "fsync", "rename", "openat"),
    [](const auto& test) { return std::string(test.param); });

TEST(Clock, Jumps) {
  Row row(
      "the wall clock is hours ahead, then behind",
      "snapshots are ordered by commit, nothing waits for the clock");
  const char* library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
  if (!fs::exists(library)) {
    GTEST_SKIP() << "no libfaketime here: apt-get install faketime";
  }
  FaultSite faults;
  for (const char* shift : {"+5h", "-9h", "+400d", "-3d", "+0"}) {
    faults.feed(2 * kBatch);
    const auto daemon = faults.site().start_under(
        {},
        faults.arguments(),
        {fmt::format("LD_PRELOAD={}", library),
         fmt::format("FAKETIME={}", shift),
         "FAKETIME_DONT_FAKE_MONOTONIC=1"});
    ASSERT_TRUE(faults.site().wait_for_state(*daemon, "training"));
    ASSERT_TRUE(faults.catch_up(*daemon));
    ASSERT_EQ(e2e::Site::drain(*daemon), 0);
    faults.heed(*daemon);
    faults.check();
    row.injected();
  }
  faults.finish();
}

TEST(Log, IsReadByNobody) {
  Row row(
      "stderr is a pipe that nobody reads, full from the start",
      "lines are left out and counted; steps, snapshots and the drain go on");
  FaultSite faults;
  const std::string pipe = faults.site().path("stderr");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int end = ::open(pipe.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(end, 0);
  const std::string block(512, '.');
  while (::write(end, block.data(), block.size()) > 0) {
  }
  faults.feed(4 * kBatch);
  const auto daemon = faults.site().start_under(
      {"/bin/sh", "-c", R"(exec "$@" 2>"$0")", pipe}, faults.arguments());
  row.injected();
  ASSERT_TRUE(faults.catch_up(*daemon));
  const auto page = e2e::http_get(faults.site().port(), "/metrics");
  ASSERT_TRUE(page);
  EXPECT_THAT(
      page->body, ::testing::ContainsRegex("\nswavd_log_dropped_total [1-9]"));
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  ::close(end);
  faults.finish();
}

/// A connection to a port of this machine that has sent `text`.
class Client {
 public:
  Client(int port, const std::string& text)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(
            socket_,
            reinterpret_cast<const sockaddr*>(&address),
            sizeof address) == 0) {
      (void)::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
    }
  }

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  ~Client() { ::close(socket_); }

 private:
  int socket_;
};

TEST(Scrapers, ThatNeverFinish) {
  Row row(
      "scrapers that send half a request or never read",
      "steps, probes and the drain do not notice");
  FaultSite faults;
  const auto daemon = faults.recover();
  std::vector<std::unique_ptr<Client>> clients;
  const std::uint64_t count = repeats(200, 60);
  for (std::uint64_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<Client>(
        faults.site().port(),
        i % 2 == 0 ? "GET /metr" : "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"));
    row.injected();
  }
  faults.feed(4 * kBatch);
  ASSERT_TRUE(faults.catch_up(*daemon));
  const auto live = e2e::http_get(faults.site().port(), "/livez");
  ASSERT_TRUE(live);
  EXPECT_EQ(live->code, 200);
  ASSERT_EQ(e2e::Site::drain(*daemon), 0);
  faults.heed(*daemon);
  clients.clear();
  faults.finish();
}

}  // namespace
}  // namespace swavd::faults
