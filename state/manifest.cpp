#include "state/manifest.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ops/base/check.h"
#include "ops/base/clock.h"
#include "ops/base/sha256.h"
#include "state/content/snapshot_content.h"
#include "state/content/strict_json.h"
#include "state/content/utc.h"

namespace swavd::state {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "swavd-snapshot/1";
/// Far above anything a section of ours needs; keeps recursion bounded.
constexpr std::size_t kManifestDepth = 64;

/// A section that another folder wrote; text that is no JSON is its bug.
Json section(const std::string& text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  SWAVD_CHECK(!json.is_discarded());
  return json;
}

Json health_json(const Health& health) {
  // JSON has no NaN: a number that is none becomes null.
  Json json{
      {"verdict", health.verdict},
      {"loss", health.loss},
      {"ln_k", health.ln_k},
      {"prototype_perplexity", health.prototype_perplexity},
      {"finite", health.finite}};
  if (!health.reason.empty()) {
    json["reason"] = health.reason;
    json["used_prototypes"] = health.used_prototypes;
    json["best_loss"] = health.best_loss;
    json["feature_std"] = health.feature_std;
    json["rank_me"] = health.rank_me;
    json["accepted"] = health.accepted;
  }
  return json;
}

Json files_json(const std::vector<FileEntry>& files) {
  Json list = Json::array();
  for (const FileEntry& file : files) {
    list.push_back(
        {{"name", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  }
  return list;
}

/// Takes fields out of an object and remembers the first that is wrong.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  std::string text(const char* name) {
    const Json* json = get(name, &Json::is_string);
    return json == nullptr ? std::string() : json->get<std::string>();
  }

  std::uint64_t count(const char* name) {
    const Json* json = get(name, &Json::is_number_unsigned);
    return json == nullptr ? 0 : json->get<std::uint64_t>();
  }

  /// null stands for a number that is none.
  double real(const char* name) {
    const auto hit = object_.find(name);
    if (hit != object_.end() && hit->is_null()) {
      return std::numeric_limits<double>::quiet_NaN();
    }
    const Json* json = get(name, &Json::is_number);
    return json == nullptr ? 0 : json->get<double>();
  }

  bool flag(const char* name) {
    const Json* json = get(name, &Json::is_boolean);
    return json != nullptr && json->get<bool>();
  }

  /// The section's text; nothing in it is looked at.
  std::string raw(const char* name, bool (Json::*is)() const noexcept) {
    const Json* json = get(name, is);
    return json == nullptr ? std::string() : json->dump();
  }

  /// The same; empty when there is none.
  std::string optional_raw(
      const char* name,
      bool (Json::*is)() const noexcept) {
    return object_.contains(name) ? raw(name, is) : std::string();
  }

  const Json* get(const char* name, bool (Json::*is)() const noexcept) {
    const auto hit = object_.find(name);
    if (hit == object_.end() || !((*hit).*is)()) {
      fail(name);
      return nullptr;
    }
    return &*hit;
  }

  void fail(const char* name) {
    if (wrong_.empty()) {
      wrong_ = name;
    }
  }

  [[nodiscard]] const std::string& wrong() const { return wrong_; }

 private:
  const Json& object_;
  std::string wrong_;
};

Error corrupt(const std::string& what) {
  return Error{ErrorCode::kCorruption, "manifest: " + what};
}

Result<Health> health_from(const Json& json) {
  Fields fields(json);
  Health health;
  health.verdict = fields.text("verdict");
  health.loss = fields.real("loss");
  health.ln_k = fields.real("ln_k");
  health.prototype_perplexity = fields.real("prototype_perplexity");
  health.finite = fields.flag("finite");
  if (json.contains("reason")) {  // older snapshots have none of these
    health.reason = fields.text("reason");
    health.used_prototypes =
        static_cast<std::int64_t>(fields.count("used_prototypes"));
    health.best_loss = fields.real("best_loss");
    health.feature_std = fields.real("feature_std");
    health.rank_me = fields.real("rank_me");
    health.accepted = fields.flag("accepted");
  }
  if (!fields.wrong().empty()) {
    return corrupt("health." + fields.wrong() + " is missing or wrong");
  }
  return health;
}

Result<std::vector<FileEntry>> files_from(const Json& json) {
  std::vector<FileEntry> files;
  for (const Json& item : json) {
    if (!item.is_object()) {
      return corrupt("files holds something that is no object");
    }
    Fields fields(item);
    files.push_back(
        {fields.text("name"), fields.count("bytes"), fields.text("sha256")});
    if (!fields.wrong().empty()) {
      return corrupt("files[]." + fields.wrong() + " is missing or wrong");
    }
    // The name becomes a path wherever the snapshot is copied to.
    if (!is_plain_name(files.back().name)) {
      return corrupt("files[] names \"" + files.back().name + "\"");
    }
  }
  const auto not_ascending = [](const FileEntry& a, const FileEntry& b) {
    return a.name >= b.name;
  };
  if (std::adjacent_find(files.begin(), files.end(), not_ascending) !=
      files.end()) {
    return corrupt("files are not in ascending order of their names");
  }
  return files;
}

/// Everything but the two nested parts.
Manifest plain_fields(Fields& fields) {
  Manifest manifest;
  manifest.run = fields.text("run");
  manifest.generation = fields.count("generation");
  manifest.commit = fields.count("commit");
  manifest.step = fields.count("step");
  manifest.images = fields.count("images");
  manifest.parent = fields.text("parent");
  const auto created = parse_utc(fields.text("created"));
  if (!created) {
    fields.fail("created");
  }
  manifest.created_ms = created.value_or(0);
  manifest.stream_json = fields.raw("stream", &Json::is_object);
  manifest.state_sha256 = fields.text("state_sha256");
  manifest.positions_json = fields.raw("positions", &Json::is_array);
  manifest.schedule_json = fields.raw("schedule", &Json::is_object);
  manifest.random_json = fields.raw("random", &Json::is_object);
  manifest.config_toml = fields.text("config");
  manifest.config_sha256 = fields.text("config_sha256");
  manifest.ledger_json = fields.raw("ledger", &Json::is_object);
  manifest.origin_json = fields.optional_raw("origin", &Json::is_object);
  manifest.branch_json = fields.optional_raw("branch", &Json::is_object);
  return manifest;
}

}  // namespace

std::string compute_state_sha256(const Manifest& manifest) {
  Sha256 hash;
  for (const FileEntry& file : manifest.files) {
    hash.update(as_bytes(fmt::format("{}  {}\n", file.sha256, file.name)));
  }
  for (const std::string* part :
       {&manifest.positions_json,
        &manifest.schedule_json,
        &manifest.random_json}) {
    hash.update(as_bytes(section(*part).dump() + "\n"));
  }
  return to_hex(hash.finish());
}

std::string to_json(const Manifest& manifest) {
  Json json{
      {"format", kFormat},
      {"run", manifest.run},
      {"generation", manifest.generation},
      {"commit", manifest.commit},
      {"step", manifest.step},
      {"images", manifest.images},
      {"parent", manifest.parent},
      {"created", format_utc(manifest.created_ms)},
      {"stream", section(manifest.stream_json)},
      {"state_sha256", manifest.state_sha256},
      {"positions", section(manifest.positions_json)},
      {"schedule", section(manifest.schedule_json)},
      {"random", section(manifest.random_json)},
      {"config", manifest.config_toml},
      {"config_sha256", manifest.config_sha256},
      {"health", health_json(manifest.health)},
      {"ledger", section(manifest.ledger_json)}};
  if (!manifest.origin_json.empty()) {
    json["origin"] = section(manifest.origin_json);
  }
  if (!manifest.branch_json.empty()) {
    json["branch"] = section(manifest.branch_json);
  }
  json["files"] = files_json(manifest.files);
  return json.dump();
}

Result<Manifest> parse_manifest(std::string_view json) {
  const auto parsed = parse_strict_json<Json>(json, kManifestDepth);
  if (!parsed.ok()) {
    return parsed.error().with_context("manifest");
  }
  if (!parsed.value().is_object()) {
    return corrupt("the text is no object");
  }
  Fields fields(parsed.value());
  const std::string format = fields.text("format");
  if (format != kFormat) {
    return corrupt(fmt::format(
        "format is \"{}\"; this version reads {}", format, kFormat));
  }
  Manifest manifest = plain_fields(fields);
  const Json* health = fields.get("health", &Json::is_object);
  const Json* files = fields.get("files", &Json::is_array);
  if (!fields.wrong().empty()) {
    return corrupt(fields.wrong() + " is missing or wrong");
  }
  auto health_part = health_from(*health);
  if (!health_part.ok()) {
    return health_part.error();
  }
  auto files_part = files_from(*files);
  if (!files_part.ok()) {
    return files_part.error();
  }
  manifest.health = std::move(health_part).value();
  manifest.files = std::move(files_part).value();
  return manifest;
}

std::string snapshot_id(std::uint64_t step, std::string_view manifest_text) {
  return fmt::format("{:012}-{:.8}", step, sha256_hex(as_bytes(manifest_text)));
}

}  // namespace swavd::state
