#pragma once

#include <optional>
#include <string>

namespace swavd::services {

/// Where `ops/setup/setup test` puts real servers and tools: .deps beside the
/// sources, or $SWAVD_DEPS.
[[nodiscard]] std::string deps_folder();

struct Ended {
  std::string out;
  bool ok = false;  ///< ended with status 0
};

/// Runs a shell command to its end; its stderr is this process's unless the
/// command says otherwise.
[[nodiscard]] Ended run_shell(const std::string& command);

/// Runs tests/services/SCRIPT with `arguments` (words for a shell), its stderr
/// in `out` too when `with_errors`.
[[nodiscard]] Ended run_service(
    const std::string& script,
    const std::string& arguments,
    bool with_errors = false);

/// What Prometheus' own linter says of a page of metrics: nothing, when it is
/// content. nullopt: it is not installed.
[[nodiscard]] std::optional<std::string> promtool_verdict(
    const std::string& metrics);

/// For GTEST_SKIP when it is not.
inline constexpr const char* kNoPromtool =
    "no promtool in .deps; run: ops/setup/setup test";

}  // namespace swavd::services
