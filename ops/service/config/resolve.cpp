#include "ops/service/config/resolve.h"

#include <algorithm>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "ops/base/check.h"
#include "ops/service/config/binding.h"
#include "ops/service/config/contradictions.h"
#include "ops/service/config/keys.h"
#include "ops/service/config/layers.h"
#include "ops/service/config/presets.h"
#include "ops/service/config/swav_checks.h"

namespace swavd::service {
namespace {

constexpr std::string_view kPresetKey = "model.preset";
constexpr std::string_view kPresetSource = "preset ";

// Applies entries in rising precedence and remembers who set what.
class Merge {
 public:
  explicit Merge(Resolved& resolved) : resolved_(resolved) {}

  void apply(const Entry& entry) {
    const Key* key = find_key(entry.key);
    if (key == nullptr) {
      const std::string hint = suggest_key(entry.key);
      blame(entry, "there is no such key" + (hint.empty() ? "" : "; " + hint));
      return;
    }
    if (const auto objection = bind_merged(*key, entry.value)) {
      bad_.insert(entry.key);
      blame(entry, *objection);
      return;
    }
    bad_.erase(entry.key);
    resolved_.origins[entry.key] = {entry.source, entry.value.line};
  }

  // A contradiction that a wrong value has a part in may be none once that is
  // put right.
  void report(const Contradiction& contradiction) {
    for (const std::string_view key : contradiction.keys) {
      if (bad_.contains(key)) {
        return;
      }
    }
    resolved_.mistakes.push_back(placed(contradiction));
  }

  void warn(const Contradiction& doubt) {
    resolved_.warnings.push_back(placed(doubt));
  }

 private:
  // Tables of texts grow layer by layer, everything else is replaced.
  std::optional<std::string> bind_merged(const Key& key, const Value& value) {
    const auto* table = std::get_if<Value::Table>(&value.data);
    if (key.shape.form != Form::kTextTable || table == nullptr) {
      return bind(key, value, resolved_.config);
    }
    const Value before = value_of(key, resolved_.config);
    Value::Table merged = std::get<Value::Table>(before.data);
    merged.insert(merged.end(), table->begin(), table->end());
    return bind(key, {std::move(merged)}, resolved_.config);
  }

  void blame(const Entry& entry, std::string message) {
    resolved_.mistakes.push_back(
        {entry.source, entry.value.line, entry.key, std::move(message)});
  }

  [[nodiscard]] ConfigMistake placed(const Contradiction& found) const {
    const Origin origin = place(found.keys);
    return {
        origin.source,
        origin.line,
        std::string(found.keys.front()),
        found.message};
  }

  // Where the first of the keys stands that somebody set, before any that a
  // preset set.
  [[nodiscard]] Origin place(const std::vector<std::string_view>& keys) const {
    Origin shipped{"default", 0};
    for (const std::string_view key : keys) {
      const auto at = resolved_.origins.find(key);
      if (at == resolved_.origins.end()) {
        continue;
      }
      if (!at->second.source.starts_with(kPresetSource)) {
        return at->second;
      }
      shipped = at->second;
    }
    return shipped;
  }

  Resolved& resolved_;
  std::set<std::string, std::less<>> bad_;
};

// The preset that wins. A wrong name is reported where it stands, with the
// default preset in its place.
const Preset& chosen_preset(const std::vector<Entry>& entries) {
  const Preset* chosen = find_preset(ModelConfig{}.preset);
  for (const Entry& entry : entries) {
    if (entry.key != kPresetKey) {
      continue;
    }
    const auto* name = std::get_if<std::string>(&entry.value.data);
    const Preset* named = name == nullptr ? nullptr : find_preset(*name);
    chosen = named == nullptr ? chosen : named;
  }
  SWAVD_CHECK(chosen != nullptr);
  return *chosen;
}

std::vector<Entry> preset_entries(const Preset& preset) {
  Layers layers = read_document(
      preset.toml, fmt::format("{}{}", kPresetSource, preset.name));
  SWAVD_CHECK(layers.syntax.empty() && layers.mistakes.empty());
  for (Entry& entry : layers.entries) {
    entry.value.line = 0;
  }
  return std::move(layers.entries);
}

std::string runtime_folder(const std::vector<std::string>& environment) {
  constexpr std::string_view kName = "RUNTIME_DIRECTORY=";
  for (const std::string& pair : environment) {
    if (pair.starts_with(kName)) {
      // systemd separates several folders by colons.
      const std::string folders = pair.substr(kName.size());
      return folders.substr(0, folders.find(':'));
    }
  }
  return "";
}

void fill_derived(const ConfigSources& sources, Config& config) {
  if (config.stream.url.empty()) {
    config.stream.url = fmt::format("log://{}/stream/images", config.data_dir);
  }
  if (config.admin.socket.empty()) {
    const std::string folder = runtime_folder(sources.environment);
    config.admin.socket =
        (folder.empty() ? config.data_dir : folder) + "/admin.sock";
  }
}

}  // namespace

std::string to_string(const Origin& origin) {
  return origin.line > 0 ? fmt::format("{}:{}", origin.source, origin.line)
                         : origin.source;
}

Resolved resolve(const ConfigSources& sources) {
  Resolved resolved;
  const Layers layers = read_layers(sources);
  if (!layers.syntax.empty()) {
    resolved.mistakes = layers.syntax;
    return resolved;
  }
  resolved.mistakes = layers.mistakes;
  Merge merge(resolved);
  for (const Entry& entry : preset_entries(chosen_preset(layers.entries))) {
    merge.apply(entry);
  }
  for (const Entry& entry : layers.entries) {
    merge.apply(entry);
  }
  fill_derived(sources, resolved.config);
  for (const auto& contradiction : find_contradictions(resolved.config)) {
    merge.report(contradiction);
  }
  for (const auto& doubt : doubts_of_swav(resolved.config)) {
    merge.warn(doubt);
  }
  std::stable_sort(
      resolved.mistakes.begin(),
      resolved.mistakes.end(),
      [](const ConfigMistake& a, const ConfigMistake& b) {
        return std::tie(a.file, a.line) < std::tie(b.file, b.line);
      });
  resolved.config.lineage_toml = lineage_of(resolved.config);
  return resolved;
}

}  // namespace swavd::service
