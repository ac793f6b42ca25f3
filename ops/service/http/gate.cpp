#include "ops/service/http/gate.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

namespace swavd::service {
namespace {

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr std::chrono::milliseconds kBreath{100};
// An answer of a probe fits, so that writing it waits for no reader.
constexpr int kSendBufferBytes = 256 << 10;

std::string_view reason(int code) {
  switch (code) {
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Service Unavailable";
  }
}

}  // namespace

void send_refusal(const Descriptor& socket, int code) {
  const std::string answer = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
      code,
      reason(code));
  [[maybe_unused]] const auto sent = ::send(
      socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::string_view path_of_head(std::string_view head) {
  const auto from = head.find(' ');
  if (from == std::string_view::npos) {
    return "";
  }
  const std::string_view target = head.substr(from + 1);
  return target.substr(0, target.find_first_of(" ?#\r\n"));
}

Gate::Gate(
    Listener listener,
    const GateOptions& options,
    Deliver deliver,
    Refused refused)
    : listener_(std::move(listener)),
      options_(options),
      deliver_(std::move(deliver)),
      refused_(std::move(refused)),
      thread_("http-gate", [this](const std::stop_token& stop) { run(stop); }) {
}

Gate::~Gate() {
  thread_.request_stop();
  wake_.wake();
  thread_.join();
}

void Gate::run(const std::stop_token& stop) {
  std::vector<pollfd> polled;
  while (!stop.stop_requested()) {
    const Time before = std::chrono::steady_clock::now();
    const int accepting = before >= accept_again_ ? listener_.socket.get() : -1;
    polled = {{wake_.descriptor(), POLLIN, 0}, {accepting, POLLIN, 0}};
    for (const Waiting& waiting : waiting_) {
      polled.push_back({waiting.connection.socket.get(), POLLIN, 0});
    }
    ::poll(polled.data(), polled.size(), poll_timeout_ms(before));
    for (std::size_t i = 2; i < polled.size(); ++i) {
      if (polled[i].revents != 0) {
        read_head(waiting_[i - 2]);
      }
    }
    const Time now = std::chrono::steady_clock::now();
    if (polled[1].revents != 0) {
      accept_all(now);
    }
    expire(now);
    std::erase_if(waiting_, [](const Waiting& w) { return w.gone; });
  }
}

void Gate::accept_all(Time now) {
  for (;;) {
    Descriptor socket(::accept4(
        listener_.socket.get(),
        nullptr,
        nullptr,
        SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket.get() < 0) {
      const bool out_of_room = errno == EMFILE || errno == ENFILE ||
                               errno == ENOBUFS || errno == ENOMEM;
      if (out_of_room) {
        accept_again_ = now + kBreath;
      }
      return;
    }
    ::setsockopt(
        socket.get(),
        SOL_SOCKET,
        SO_SNDBUF,
        &kSendBufferBytes,
        sizeof kSendBufferBytes);
    waiting_.push_back({{std::move(socket), ""}, now + options_.head_timeout});
    if (waiting_.size() > options_.most_waiting) {
      if (!waiting_.front().gone) {
        refuse(waiting_.front(), 503);
      }
      waiting_.pop_front();
    }
  }
}

void Gate::read_head(Waiting& waiting) {
  std::string& received = waiting.connection.received;
  const std::size_t before = received.size();
  received.resize(options_.most_head_bytes);
  const auto length = ::recv(
      waiting.connection.socket.get(),
      received.data() + before,
      received.size() - before,
      MSG_DONTWAIT);
  const bool nothing_yet = length < 0 && (errno == EAGAIN || errno == EINTR);
  received.resize(
      before + static_cast<std::size_t>(std::max(length, ssize_t{0})));
  if (length <= 0) {
    waiting.gone = !nothing_yet;
    return;
  }
  // The end may lie across what was there before.
  const std::size_t overlap = std::min(before, kEndOfHead.size() - 1);
  if (received.find(kEndOfHead, before - overlap) != std::string::npos) {
    waiting.gone = true;
    deliver_(std::move(waiting.connection));
  } else if (received.size() >= options_.most_head_bytes) {
    refuse(waiting, 431);
  }
}

void Gate::expire(Time now) {
  for (Waiting& waiting : waiting_) {
    if (waiting.deadline > now) {
      break;
    }
    if (waiting.gone) {
      continue;
    }
    // A browser's spare connection that was never used is no event.
    if (waiting.connection.received.empty()) {
      waiting.gone = true;
    } else {
      refuse(waiting, 408);
    }
  }
}

void Gate::refuse(Waiting& waiting, int code) {
  waiting.gone = true;
  send_refusal(waiting.connection.socket, code);
  refused_(code);
}

int Gate::poll_timeout_ms(Time now) const {
  Time until = Time::max();
  if (!waiting_.empty()) {
    until = waiting_.front().deadline;
  }
  if (accept_again_ > now) {
    until = std::min(until, accept_again_);
  }
  if (until == Time::max()) {
    return -1;
  }
  // Rounded up, or the last fraction of a millisecond would be spun away.
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

}  // namespace swavd::service
