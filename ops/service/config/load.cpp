#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ops/service/config.h"
#include "ops/service/config/binding.h"
#include "ops/service/config/keys.h"
#include "ops/service/config/resolve.h"
#include "ops/service/config/secrets.h"

namespace swavd::service {
namespace {

void mask_secrets(Config& config) {
  for (auto& [property, value] : config.stream.client) {
    if (is_secret(property)) {
      value = "***";
    }
  }
}

}  // namespace

LoadedConfig load_config(const ConfigSources& sources) {
  Resolved resolved = resolve(sources);
  LoadedConfig loaded;
  loaded.mistakes = std::move(resolved.mistakes);
  if (loaded.mistakes.empty()) {
    loaded.config = std::move(resolved.config);
    loaded.warnings = std::move(resolved.warnings);
  }
  return loaded;
}

std::string format_mistakes(const std::vector<ConfigMistake>& mistakes) {
  std::string text;
  for (const ConfigMistake& mistake : mistakes) {
    text += to_string(Origin{mistake.file, mistake.line});
    text += mistake.key.empty() ? "" : ": " + mistake.key;
    text += ": " + mistake.message + "\n";
  }
  return text;
}

std::string effective_config(const ConfigSources& sources) {
  Resolved resolved = resolve(sources);
  mask_secrets(resolved.config);
  std::string text;
  std::string_view section;
  for (const Key& key : all_keys()) {
    if (section_of(key.name) != section) {
      section = section_of(key.name);
      text += fmt::format("\n[{}]\n", section);
    }
    const auto origin = resolved.origins.find(key.name);
    text += fmt::format(
        "{:<48} # {}\n",
        fmt::format(
            "{} = {}",
            name_in_section(key.name),
            to_toml(value_of(key, resolved.config))),
        origin == resolved.origins.end() ? "default"
                                         : to_string(origin->second));
  }
  return text;
}

std::vector<KeyChange> config_changes(
    const Config& before,
    const Config& after) {
  std::vector<KeyChange> changes;
  for (const Key& key : all_keys()) {
    std::string old_text = to_toml(value_of(key, before));
    std::string new_text = to_toml(value_of(key, after));
    if (old_text != new_text) {
      changes.push_back(
          {std::string(key.name),
           key.key_class,
           std::move(old_text),
           std::move(new_text)});
    }
  }
  return changes;
}

}  // namespace swavd::service
