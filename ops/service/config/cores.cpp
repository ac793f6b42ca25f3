#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "ops/service/config.h"

namespace swavd::service {
namespace {

// What the kernel can be built for (NR_CPUS of x86-64).
constexpr std::int32_t kMostCores = 8192;

std::optional<std::int32_t> core_of(std::string_view text) {
  std::int32_t core = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, core);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == end;
  return whole && core >= 0 && core < kMostCores ? std::optional(core)
                                                 : std::nullopt;
}

/// "4" or "4-7".
bool add_cores(std::string_view part, std::vector<std::int32_t>& cores) {
  const std::size_t dash = part.find('-');
  const auto first = core_of(part.substr(0, dash));
  const auto last =
      dash == std::string_view::npos ? first : core_of(part.substr(dash + 1));
  if (!first || !last || *last < *first) {
    return false;
  }
  for (std::int32_t core = *first; core <= *last; ++core) {
    cores.push_back(core);
  }
  return true;
}

}  // namespace

Result<std::vector<std::int32_t>> parse_cores(std::string_view text) {
  std::vector<std::int32_t> cores;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    if (!add_cores(rest.substr(0, comma), cores) || comma + 1 == rest.size()) {
      return Error{
          ErrorCode::kInvalidArgument,
          fmt::format(
              "\"{}\" is no list of cores: write numbers and ranges such as "
              "\"2-5,8\", counted from 0",
              text)};
    }
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  std::ranges::sort(cores);
  const auto twice = std::ranges::unique(cores);
  cores.erase(twice.begin(), twice.end());
  return cores;
}

}  // namespace swavd::service
