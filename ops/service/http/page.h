#pragma once

#include <span>
#include <string>
#include <string_view>

namespace swavd::service {

/// A file built in from ops/service/page.
struct PageFile {
  std::string_view name;
  std::string_view text;
};

/// Made by the build: index.html alone.
[[nodiscard]] std::span<const PageFile> page_files();

/// A Content-Security-Policy under which `html` runs its own inline script and
/// style, by their hashes, talks to its own origin, and nothing else.
[[nodiscard]] std::string content_security_policy(std::string_view html);

}  // namespace swavd::service
