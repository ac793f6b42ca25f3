#include <map>

#include <fmt/format.h>

#include "ops/service/config.h"
#include "ops/service/config/binding.h"
#include "ops/service/config/keys.h"
#include "ops/service/config/layers.h"

namespace swavd::service {
namespace {

using TextByKey = std::map<std::string, std::string, std::less<>>;

Error corrupt(const std::string& what) {
  return {ErrorCode::kCorruption, "the config inside the snapshot: " + what};
}

// Every lineage key with its value as text. One that a document leaves out (an
// older version wrote it) has its default; one that is unknown here stays.
TextByKey lineage_values(std::string_view toml) {
  TextByKey values;
  const Config defaults;
  for (const Key& key : all_keys()) {
    if (key.key_class == KeyClass::kLineage) {
      values[std::string(key.name)] = to_toml(value_of(key, defaults));
    }
  }
  for (const Entry& entry : read_document(toml, "lineage").entries) {
    Config config;
    const Key* key = find_key(entry.key);
    const bool bound = key != nullptr && !bind(*key, entry.value, config);
    // Through the field, so that 1 and 1.0 are the same number.
    values[entry.key] = to_toml(bound ? value_of(*key, config) : entry.value);
  }
  return values;
}

}  // namespace

std::string lineage_of(const Config& config) {
  std::string toml;
  std::string_view section;
  for (const Key& key : all_keys()) {
    if (key.key_class != KeyClass::kLineage) {
      continue;
    }
    if (section_of(key.name) != section) {
      section = section_of(key.name);
      toml += fmt::format("{}[{}]\n", toml.empty() ? "" : "\n", section);
    }
    toml += fmt::format(
        "{} = {}\n", name_in_section(key.name), to_toml(value_of(key, config)));
  }
  return toml;
}

Result<Config> parse_lineage(std::string_view toml) {
  const Layers layers = read_document(toml, "lineage");
  for (const auto* mistakes : {&layers.syntax, &layers.mistakes}) {
    if (!mistakes->empty()) {
      return corrupt(format_mistakes(*mistakes));
    }
  }
  Config config;
  for (const Entry& entry : layers.entries) {
    const Key* key = find_key(entry.key);
    if (key == nullptr || key->key_class != KeyClass::kLineage) {
      return corrupt(
          entry.key +
          " is unknown to this version; use the one that wrote the snapshot");
    }
    if (const auto objection = bind(*key, entry.value, config)) {
      return corrupt(entry.key + " " + *objection);
    }
  }
  config.lineage_toml = lineage_of(config);
  return config;
}

std::vector<std::string> lineage_differences(
    std::string_view before,
    std::string_view after) {
  TextByKey rest = lineage_values(after);
  std::vector<std::string> names;
  for (const auto& [key, text] : lineage_values(before)) {
    const auto found = rest.find(key);
    if (found == rest.end() || found->second != text) {
      names.push_back(key);
    }
    if (found != rest.end()) {
      rest.erase(found);
    }
  }
  for (const auto& [key, text] : rest) {
    names.push_back(key);
  }
  return names;
}

}  // namespace swavd::service
