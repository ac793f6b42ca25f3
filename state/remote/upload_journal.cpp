#include "state/remote/upload_journal.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "state/content/snapshot_content.h"
#include "state/content/strict_json.h"

namespace swavd::state {

namespace {

using JournalJson = nlohmann::ordered_json;

constexpr std::string_view kEntrySuffix = ".json";
constexpr std::size_t kJournalDepth = 4;

bool is_name(const JournalJson& json) {
  return json.is_string() && is_plain_name(json.get<std::string>());
}

Result<UploadEntry> parse_upload(std::string_view text, const std::string& id) {
  const auto json = parse_strict_json<JournalJson>(text, kJournalDepth);
  if (!json.ok()) {
    return json.error();
  }
  const JournalJson& fields = json.value();
  const Error wrong{
      ErrorCode::kCorruption, "not {id, generation, files} as it should be"};
  if (!fields.is_object() || !fields.contains("id") || fields["id"] != id ||
      !fields.contains("generation") ||
      !fields["generation"].is_number_unsigned() || !fields.contains("files") ||
      !fields["files"].is_array()) {
    return wrong;
  }
  UploadEntry entry{id, fields["generation"].get<std::uint64_t>(), {}};
  for (const JournalJson& name : fields["files"]) {
    if (!is_name(name)) {
      return wrong;
    }
    entry.files.push_back(name.get<std::string>());
  }
  return entry;
}

}  // namespace

UploadJournal::UploadJournal(ObjectStore& store, const std::string& root)
    : store_(store),
      prefix_(root + "journal/") {}

std::string UploadJournal::key_of(const std::string& id) const {
  return fmt::format("{}{}{}", prefix_, id, kEntrySuffix);
}

Status UploadJournal::begin(const UploadEntry& entry) {
  const JournalJson json{
      {"id", entry.id},
      {"generation", entry.generation},
      {"files", entry.files}};
  const auto etag =
      put_text(store_, key_of(entry.id), json.dump(), PutCondition{});
  return etag.ok() ? ok_status() : Status(etag.error());
}

Status UploadJournal::forget(const std::string& id) {
  return store_.remove(key_of(id));
}

Result<std::set<std::string>> UploadJournal::ids() {
  const auto objects = store_.list(prefix_);
  if (!objects.ok()) {
    return objects.error();
  }
  std::set<std::string> found;
  for (const ObjectInfo& object : objects.value()) {
    std::string_view name(object.key);
    name.remove_prefix(prefix_.size());
    if (name.ends_with(kEntrySuffix)) {
      name.remove_suffix(kEntrySuffix.size());
      if (is_plain_name(name)) {
        found.emplace(name);
      }
    }
  }
  return found;
}

Result<UploadEntry> UploadJournal::read(const std::string& id) {
  const auto text = get_text(store_, key_of(id));
  if (!text.ok()) {
    return text.error();
  }
  auto entry = parse_upload(text.value(), id);
  return entry.ok() ? std::move(entry) : entry.error().with_context(key_of(id));
}

}  // namespace swavd::state
