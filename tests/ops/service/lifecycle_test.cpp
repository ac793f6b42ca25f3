#include "ops/service/lifecycle.h"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "ops/base/bounded_queue.h"
#include "tests/ops/service/temp_folder.h"

namespace swavd::service {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// The receiving end of sd_notify, as systemd binds it.
class NotifySocket {
 public:
  // `name` begins with '@' for the abstract namespace.
  explicit NotifySocket(const std::string& name)
      : descriptor_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    std::size_t length = offsetof(sockaddr_un, sun_path) + name.size();
    if (name[0] == '@') {
      address.sun_path[0] = '\0';
    } else {
      ++length;
    }
    EXPECT_EQ(
        ::bind(
            descriptor_,
            reinterpret_cast<const sockaddr*>(&address),
            static_cast<socklen_t>(length)),
        0);
    const timeval patience{5, 0};
    ::setsockopt(
        descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }

  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  ~NotifySocket() {
    ::unsetenv("NOTIFY_SOCKET");
    ::close(descriptor_);
  }

  std::string receive() const {
    char buffer[4096];
    const auto length = ::recv(descriptor_, buffer, sizeof buffer, 0);
    return length < 0 ? "nothing"
                      : std::string(buffer, static_cast<std::size_t>(length));
  }

 private:
  int descriptor_;
};

TEST(ServiceManager, SpeaksTheNotifyProtocol) {
  const TempFolder folder;
  const NotifySocket systemd(folder / "notify");
  const ServiceManager manager;
  manager.ready("step 0");
  EXPECT_EQ(systemd.receive(), "READY=1\nSTATUS=step 0");
  manager.status("two\nlines");
  EXPECT_EQ(systemd.receive(), "STATUS=two lines");
  manager.watchdog_ping();
  EXPECT_EQ(systemd.receive(), "WATCHDOG=1");
  manager.extend_timeout(std::chrono::seconds(30));
  EXPECT_EQ(systemd.receive(), "EXTEND_TIMEOUT_USEC=30000000");
  manager.stopping("draining");
  EXPECT_EQ(systemd.receive(), "STOPPING=1\nSTATUS=draining");
}

TEST(ServiceManager, TellsAReloadWithTheMonotonicTimeInMicroseconds) {
  const TempFolder folder;
  const NotifySocket systemd(folder / "notify");
  ServiceManager().reloading();
  const std::string message = systemd.receive();
  const std::string head = "RELOADING=1\nMONOTONIC_USEC=";
  ASSERT_THAT(message, StartsWith(head));
  const auto told = std::stoll(message.substr(head.size()));
  // steady_clock is CLOCK_MONOTONIC here.
  const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::steady_clock::now().time_since_epoch())
                       .count();
  EXPECT_LE(told, now);
  EXPECT_GT(told, now - 60'000'000);
}

TEST(ServiceManager, FindsASocketInTheAbstractNamespace) {
  const NotifySocket systemd("@swavd-test-" + std::to_string(::getpid()));
  ServiceManager().watchdog_ping();
  EXPECT_EQ(systemd.receive(), "WATCHDOG=1");
}

TEST(ServiceManager, LogsOnceWhenNobodyListens) {
  ::setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
  const ServiceManager manager;
  ::unsetenv("NOTIFY_SOCKET");
  testing::internal::CaptureStderr();
  manager.watchdog_ping();
  manager.watchdog_ping();
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("notify_failed"));
  EXPECT_EQ(text.find("notify_failed"), text.rfind("notify_failed"));
}

TEST(ServiceManager, IsSilentWithoutAServiceManager) {
  testing::internal::CaptureStderr();
  ServiceManager().ready("step 0");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Signals, DrainFirstQuitOnTheSecondAndReloadOnHangUp) {
  BoundedQueue<Request> requests(8);
  const Signals signals(
      [&requests](Request request) { (void)requests.push(request); });
  ::kill(::getpid(), SIGHUP);
  EXPECT_EQ(requests.pop(), Request::kReload);
  ::kill(::getpid(), SIGTERM);
  EXPECT_EQ(requests.pop(), Request::kDrain);
  ::kill(::getpid(), SIGHUP);
  EXPECT_EQ(requests.pop(), Request::kReload);
  ::kill(::getpid(), SIGINT);
  EXPECT_EQ(requests.pop(), Request::kQuit);
}

TEST(Signals, RestoreTheMaskAndEndTheirThread) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  EXPECT_EQ(sigismember(&before, SIGTERM), 0);
  {
    const Signals signals([](Request) {});
    sigset_t during;
    pthread_sigmask(SIG_SETMASK, nullptr, &during);
    EXPECT_EQ(sigismember(&during, SIGTERM), 1);
    EXPECT_EQ(sigismember(&during, SIGHUP), 1);
  }
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&after, SIGTERM), 0);
}

TEST(State, EachHasAWordOfItsOwn) {
  std::set<std::string_view> words;
  for (int i = 0; i < kStates; ++i) {
    words.insert(to_string(static_cast<State>(i)));
  }
  EXPECT_EQ(words.size(), static_cast<std::size_t>(kStates));
  EXPECT_FALSE(words.contains(""));
}

}  // namespace
}  // namespace swavd::service
