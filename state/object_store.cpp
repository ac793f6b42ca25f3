#include "state/object_store.h"

#include <utility>

#include <fmt/format.h>

#include "state/directory/directory_object_store.h"

namespace swavd::state {

Result<std::unique_ptr<ObjectStore>> open_object_store(const std::string& url) {
  constexpr std::string_view kScheme = "file://";
  const std::string_view path =
      url.starts_with(kScheme) ? std::string_view(url).substr(kScheme.size())
                               : std::string_view();
  if (path.empty() || path.front() != '/') {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("\"{}\" is no object store; write file:///FOLDER", url)};
  }
  return std::unique_ptr<ObjectStore>(
      std::make_unique<DirectoryObjectStore>(path));
}

Result<std::string> put_text(
    ObjectStore& store,
    const std::string& key,
    std::string_view text,
    const PutCondition& condition) {
  bool given = false;
  return store.put(
      key,
      text.size(),
      [&]() -> Result<Bytes> {
        return std::exchange(given, true) ? Bytes() : as_bytes(text);
      },
      condition);
}

Result<std::string> get_text(ObjectStore& store, const std::string& key) {
  std::string text;
  const auto info = store.get(key, [&](Bytes piece) {
    text += as_text(piece);
    return ok_status();
  });
  if (!info.ok()) {
    return info.error();
  }
  return text;
}

}  // namespace swavd::state
