#include "tests/state/s3/hostile_s3.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ops/base/check.h"

namespace swavd::state {

namespace {

/// Waits for input in short turns, so that a stop is noticed.
bool await_input(int descriptor, const std::stop_token& stop) {
  constexpr int kTurnMs = 20;
  while (!stop.stop_requested()) {
    pollfd watched{descriptor, POLLIN, 0};
    if (::poll(&watched, 1, kTurnMs) > 0) {
      return true;
    }
  }
  return false;
}

/// Reads until `buffer` has `bytes`; false at the end of the connection.
bool read_more(
    int connection,
    std::string& buffer,
    const std::stop_token& stop) {
  std::array<char, 65536> piece{};
  if (!await_input(connection, stop)) {
    return false;
  }
  const ssize_t got = ::recv(connection, piece.data(), piece.size(), 0);
  if (got <= 0) {
    return false;
  }
  buffer.append(piece.data(), static_cast<std::size_t>(got));
  return true;
}

SeenRequest parse_head(std::string_view head) {
  SeenRequest request;
  const std::size_t line = head.find("\r\n");
  const std::string_view first = head.substr(0, line);
  const std::size_t space = first.find(' ');
  request.method = first.substr(0, space);
  request.target = first.substr(space + 1, first.rfind(' ') - space - 1);
  head.remove_prefix(line + 2);
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view field = head.substr(0, end);
    const std::size_t colon = field.find(':');
    std::string name(field.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
    std::string_view value = field.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    request.headers[name] = value;
    head.remove_prefix(std::min(end + 2, head.size()));
  }
  return request;
}

std::optional<SeenRequest>
read_request(int connection, std::string& buffer, const std::stop_token& stop) {
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more(connection, buffer, stop)) {
      return std::nullopt;
    }
  }
  SeenRequest request = parse_head(std::string_view(buffer).substr(0, end));
  buffer.erase(0, end + 4);
  const std::string length = request.header("content-length");
  const std::size_t bytes = length.empty() ? 0 : std::stoul(length);
  while (buffer.size() < bytes) {
    if (!read_more(connection, buffer, stop)) {
      return std::nullopt;
    }
  }
  request.body = buffer.substr(0, bytes);
  buffer.erase(0, bytes);
  return request;
}

void write_all(int connection, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent =
        ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

Reply s3_error(int status, const std::string& code) {
  Reply reply;
  reply.status = status;
  reply.body = fmt::format(
      "<?xml version=\"1.0\"?><Error><Code>{}</Code>"
      "<Message>words of a server</Message></Error>",
      code);
  return reply;
}

HostileS3::HostileS3(Script script) : script_(std::move(script)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  SWAVD_CHECK(::bind(listener_, raw, size) == 0);
  SWAVD_CHECK(::listen(listener_, 16) == 0);
  SWAVD_CHECK(::getsockname(listener_, raw, &size) == 0);
  port_ = ntohs(address.sin_port);
  stage_ = std::make_unique<Stage>(
      "hostile-s3", [this](const std::stop_token& stop) { serve(stop); });
}

HostileS3::~HostileS3() {
  stage_.reset();
  ::close(listener_);
}

std::string HostileS3::endpoint() const {
  return fmt::format("http://127.0.0.1:{}", port_);
}

std::vector<SeenRequest> HostileS3::seen() const {
  const MutexLock lock(mutex_);
  return seen_;
}

void HostileS3::serve(const std::stop_token& stop) {
  while (await_input(listener_, stop)) {
    const int connection = ::accept(listener_, nullptr, nullptr);
    if (connection >= 0) {
      serve_connection(connection, stop);
      ::close(connection);
    }
  }
}

void HostileS3::serve_connection(int connection, const std::stop_token& stop) {
  std::string buffer;
  while (auto request = read_request(connection, buffer, stop)) {
    std::size_t number = 0;
    {
      const MutexLock lock(mutex_);
      number = seen_.size();
      seen_.push_back(*request);
    }
    const Reply reply = script_(*request, number);
    if (reply.stall) {
      (void)await_input(connection, stop);
    }
    if (reply.stall || reply.silent) {
      return;
    }
    std::string text = fmt::format(
        "HTTP/1.1 {} Scripted\r\nContent-Length: {}\r\n",
        reply.status,
        reply.body.size());
    for (const auto& [name, value] : reply.headers) {
      text += fmt::format("{}: {}\r\n", name, value);
    }
    text += "\r\n";
    if (request->method != "HEAD") {
      text += reply.body.substr(0, reply.body.size() - reply.cut);
    }
    write_all(connection, text);
    if (reply.cut > 0) {
      return;
    }
  }
}

}  // namespace swavd::state
