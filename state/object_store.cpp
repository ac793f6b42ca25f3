#include "state/object_store.h"

#include <utility>

#include <fmt/format.h>

#include "state/directory/directory_object_store.h"
#include "state/s3/s3_object_store.h"
#include "state/s3/surroundings.h"

namespace swavd::state {

Result<std::unique_ptr<ObjectStore>> open_object_store(
    const std::string& url,
    const S3Options& s3) {
  if (url.starts_with("s3://")) {
    return S3ObjectStore::open(url, s3, machine_surroundings());
  }
  constexpr std::string_view kScheme = "file://";
  const std::string_view path =
      url.starts_with(kScheme) ? std::string_view(url).substr(kScheme.size())
                               : std::string_view();
  if (path.empty() || path.front() != '/') {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "\"{}\" is no object store; write file:///FOLDER or "
            "s3://BUCKET/PREFIX",
            url)};
  }
  return std::unique_ptr<ObjectStore>(
      std::make_unique<DirectoryObjectStore>(path));
}

Status probe_conditional_writes(ObjectStore& store, const std::string& prefix) {
  const std::string key =
      prefix + "validate-" + machine_surroundings().unique_name();
  const PutCondition absent{PutCondition::Kind::kAbsent, ""};
  const auto first = put_text(store, key, "first", absent);
  if (!first.ok()) {
    return first.error();
  }
  const auto again = put_text(store, key, "again", absent);
  const auto second = put_text(
      store, key, "second", {PutCondition::Kind::kMatches, first.value()});
  const auto stale = put_text(
      store, key, "stale", {PutCondition::Kind::kMatches, first.value()});
  SWAVD_RETURN_IF_ERROR(store.remove(key));
  const auto honoured = [](const Result<std::string>& put, const char* name) {
    if (put.ok()) {
      return Status(Error{
          ErrorCode::kUnavailable,
          fmt::format(
              "the object store ignores conditional writes ({}); two daemons "
              "could overwrite each other's snapshots there",
              name)});
    }
    return put.error().code == ErrorCode::kFenced ? ok_status()
                                                  : Status(put.error());
  };
  SWAVD_RETURN_IF_ERROR(honoured(again, "If-None-Match"));
  SWAVD_RETURN_IF_ERROR(honoured(stale, "If-Match"));
  return second.ok() ? ok_status() : Status(second.error());
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
