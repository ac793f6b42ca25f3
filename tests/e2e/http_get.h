#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace swavd::e2e {

struct Answer {
  int code = 0;
  std::string content_type;
  std::string content_security_policy;
  std::string body;
};

/// GET http://127.0.0.1:PORT/PATH; nullopt when nobody answers within 5 s.
[[nodiscard]] std::optional<Answer> http_get(int port, const std::string& path);

/// The body of /status; nullopt unless it is there and is JSON.
[[nodiscard]] std::optional<nlohmann::json> http_status(int port);

/// Looks at another process again and again until `condition` holds: true, or
/// false when `timeout` has passed.
[[nodiscard]] bool wait_until(
    std::chrono::milliseconds timeout,
    const std::function<bool()>& condition);

}  // namespace swavd::e2e
