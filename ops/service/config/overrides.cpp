#include "ops/service/config/overrides.h"

#include <algorithm>
#include <string_view>

#include "ops/service/config/keys.h"
#include "ops/service/config/toml_reader.h"

namespace swavd::service {
namespace {

// Flags and the environment: the value of `key = TEXT`, where TEXT is TOML,
// or for convenience a text without its quotes.
Value parse_loose(const std::string& key, const std::string& text) {
  const Key* known = find_key(key);
  const bool wants_text = known == nullptr || known->shape.form == Form::kText;
  const ParsedToml parsed = parse_toml("v = " + text);
  if (!parsed.error && parsed.table.size() == 1) {
    Value value = parsed.table[0].second;
    value.line = 0;
    if (!wants_text || std::holds_alternative<std::string>(value.data)) {
      return value;
    }
  }
  return {text};
}

// "STREAM__ON_GAP" to "stream.on_gap".
std::string key_of_variable(std::string_view name) {
  std::string key;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '_' && i + 1 < name.size() && name[i + 1] == '_' &&
        key.find('.') == std::string::npos) {
      key += '.';
      ++i;
    } else {
      key += name[i] >= 'A' && name[i] <= 'Z'
                 ? static_cast<char>(name[i] - 'A' + 'a')
                 : name[i];
    }
  }
  return key;
}

// "stream.client.PROPERTY=value" sets one property.
Entry flag_entry(const std::string& key, const std::string& text) {
  constexpr std::string_view kClient = "stream.client.";
  if (key.starts_with(kClient)) {
    return {
        "stream.client",
        {Value::Table{{key.substr(kClient.size()), Value{text}}}},
        "flag"};
  }
  return make_entry(key, parse_loose(key, text), "flag");
}

}  // namespace

Layers read_environment(const std::vector<std::string>& environment) {
  constexpr std::string_view kPrefix = "SWAVD_";
  Layers layers;
  for (const std::string& pair : environment) {
    const auto equals = pair.find('=');
    if (!pair.starts_with(kPrefix) || equals == std::string::npos) {
      continue;
    }
    const std::string key = key_of_variable(
        std::string_view(pair).substr(kPrefix.size(), equals - kPrefix.size()));
    // Without "__" it is a key of the top level or none of ours.
    if (key.find('.') == std::string::npos && find_key(key) == nullptr) {
      continue;
    }
    layers.entries.push_back(make_entry(
        key, parse_loose(key, pair.substr(equals + 1)), "environment"));
  }
  // The environment has no order of its own.
  std::sort(
      layers.entries.begin(),
      layers.entries.end(),
      [](const Entry& a, const Entry& b) { return a.key < b.key; });
  return layers;
}

Layers read_flags(const std::vector<std::string>& overrides) {
  Layers layers;
  for (const std::string& pair : overrides) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos) {
      layers.mistakes.push_back({"flag", 0, pair, "write section.key=value"});
      continue;
    }
    layers.entries.push_back(
        flag_entry(pair.substr(0, equals), pair.substr(equals + 1)));
  }
  return layers;
}

}  // namespace swavd::service
