#include <csignal>
#include <thread>
#include <utility>

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ops/base/check.h"
#include "ops/base/stage.h"
#include "ops/service/lifecycle.h"
#include "ops/service/net/wake.h"

namespace swavd::service {
namespace {

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&set, signal);
  }
  return set;
}

// Blocked signals are inherited by threads started later, so nobody but the
// reader of the signalfd gets them.
sigset_t block_handled_signals() {
  const sigset_t handled = handled_signals();
  sigset_t before;
  SWAVD_CHECK(pthread_sigmask(SIG_BLOCK, &handled, &before) == 0);
  return before;
}

int open_signal_descriptor() {
  const sigset_t handled = handled_signals();
  const int descriptor = signalfd(-1, &handled, SFD_CLOEXEC);
  SWAVD_CHECK(descriptor >= 0);
  return descriptor;
}

}  // namespace

struct Signals::Impl {
  explicit Impl(std::function<void(Request)> handler)
      : on_request(std::move(handler)),
        mask_before(block_handled_signals()),
        descriptor(open_signal_descriptor()),
        thread("signals", [this](const std::stop_token& stop) { run(stop); }) {}

  ~Impl() {
    thread.request_stop();
    wake.wake();
    thread.join();
    ::close(descriptor);
    if (std::this_thread::get_id() == constructed_by) {
      pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
    }
  }

  void run(const std::stop_token& stop) {
    bool draining = false;
    while (!stop.stop_requested()) {
      pollfd ready[] = {
          {descriptor, POLLIN, 0}, {wake.descriptor(), POLLIN, 0}};
      if (::poll(ready, 2, -1) <= 0 || (ready[0].revents & POLLIN) == 0) {
        continue;
      }
      signalfd_siginfo info{};
      if (::read(descriptor, &info, sizeof info) != sizeof info) {
        continue;
      }
      if (info.ssi_signo == static_cast<unsigned>(SIGHUP)) {
        on_request(Request::kReload);
      } else {
        on_request(draining ? Request::kQuit : Request::kDrain);
        draining = true;
      }
    }
  }

  std::function<void(Request)> on_request;
  std::thread::id constructed_by = std::this_thread::get_id();
  sigset_t mask_before;
  int descriptor;
  Wake wake;
  Stage thread;
};

Signals::Signals(std::function<void(Request)> on_request)
    : impl_(std::make_unique<Impl>(std::move(on_request))) {}

Signals::~Signals() = default;

}  // namespace swavd::service
