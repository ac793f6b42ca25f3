#include "state/remote/remote_pins.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace swavd::state {

namespace {

constexpr std::string_view kSuffix = ".json";

}  // namespace

RemotePins::RemotePins(ObjectStore& store, const std::string& root)
    : store_(store),
      prefix_(root + "pins/") {}

std::string RemotePins::key_of(const std::string& id) const {
  return fmt::format("{}{}{}", prefix_, id, kSuffix);
}

Status RemotePins::put(const std::string& id) {
  const auto etag = put_text(
      store_, key_of(id), fmt::format("{{\"id\":\"{}\"}}", id), PutCondition{});
  return etag.ok() ? ok_status() : Status(etag.error());
}

Status RemotePins::remove(const std::string& id) {
  return store_.remove(key_of(id));
}

Result<std::vector<std::string>> RemotePins::list() {
  const auto objects = store_.list(prefix_);
  if (!objects.ok()) {
    return objects.error();
  }
  std::vector<std::string> ids;
  for (const ObjectInfo& object : objects.value()) {
    std::string_view name(object.key);
    name.remove_prefix(prefix_.size());
    if (name.ends_with(kSuffix)) {
      name.remove_suffix(kSuffix.size());
      ids.emplace_back(name);
    }
  }
  return ids;
}

Result<bool> RemotePins::contains(const std::string& id) {
  const auto ids = list();
  if (!ids.ok()) {
    return ids.error();
  }
  return std::find(ids.value().begin(), ids.value().end(), id) !=
         ids.value().end();
}

}  // namespace swavd::state
