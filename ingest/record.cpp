#include "ingest/record.h"

#include <algorithm>

#include <fmt/format.h>

namespace swavd::ingest {

std::string to_string(const Address& address) {
  return fmt::format(
      "{}/{}/{}", address.topic, address.partition, address.offset);
}

std::string_view find_header(const Headers& headers, std::string_view name) {
  const auto found = std::find_if(
      headers.rbegin(), headers.rend(), [name](const auto& header) {
        return header.first == name;
      });
  return found == headers.rend() ? std::string_view{} : found->second;
}

}  // namespace swavd::ingest
