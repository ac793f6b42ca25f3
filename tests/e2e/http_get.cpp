#include "tests/e2e/http_get.h"

#include <thread>

#include <httplib.h>

namespace swavd::e2e {

std::optional<Answer> http_get(int port, const std::string& path) {
  constexpr int kSeconds = 5;
  httplib::Client client("127.0.0.1", port);
  client.set_connection_timeout(kSeconds);
  client.set_read_timeout(kSeconds);
  const auto result = client.Get(path);
  if (!result) {
    return std::nullopt;
  }
  return Answer{
      result->status,
      result->get_header_value("Content-Type"),
      result->get_header_value("Content-Security-Policy"),
      result->body};
}

std::optional<nlohmann::json> http_status(int port) {
  const auto answer = http_get(port, "/status");
  if (!answer || answer->code != 200) {
    return std::nullopt;
  }
  auto json = nlohmann::json::parse(answer->body, nullptr, false);
  return json.is_object() ? std::optional(std::move(json)) : std::nullopt;
}

bool wait_until(
    std::chrono::milliseconds timeout,
    const std::function<bool()>& condition) {
  constexpr std::chrono::milliseconds kBetweenLooks{10};
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return false;
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
  return true;
}

}  // namespace swavd::e2e
