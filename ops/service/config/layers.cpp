#include "ops/service/config/layers.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "ops/base/bytes.h"
#include "ops/base/files.h"
#include "ops/service/config/keys.h"
#include "ops/service/config/overrides.h"
#include "ops/service/config/toml_reader.h"

namespace swavd::service {
namespace {

namespace fs = std::filesystem;

void append(Layers& all, Layers more) {
  std::ranges::move(more.entries, std::back_inserter(all.entries));
  std::ranges::move(more.mistakes, std::back_inserter(all.mistakes));
  std::ranges::move(more.syntax, std::back_inserter(all.syntax));
}

// TOML reads `security.protocol = "SSL"` as tables in tables; the names of a
// text table are the whole dotted paths.
void flatten(
    const std::string& prefix,
    const Value::Table& table,
    Value::Table& out) {
  for (const auto& [name, value] : table) {
    const std::string path = prefix.empty() ? name : prefix + "." + name;
    if (const auto* inner = std::get_if<Value::Table>(&value.data)) {
      flatten(path, *inner, out);
    } else {
      out.emplace_back(path, value);
    }
  }
}

Value flattened(const Value& value) {
  const auto* table = std::get_if<Value::Table>(&value.data);
  if (table == nullptr) {
    return value;
  }
  Value::Table flat;
  flatten("", *table, flat);
  return {std::move(flat), value.line};
}

Layers read_file_layer(const fs::path& path) {
  const auto bytes = read_file(path);
  if (!bytes.ok()) {
    Layers layers;
    layers.syntax.push_back({path, 0, "", bytes.error().message});
    return layers;
  }
  return read_document(as_text(bytes.value()), path);
}

// conf.d/*.toml beside the file, in the order of their bytes.
Layers read_drop_ins(const fs::path& file) {
  const fs::path folder = file.parent_path() / "conf.d";
  Layers layers;
  std::error_code error;
  std::vector<std::string> paths;
  for (fs::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().extension() == ".toml") {
      paths.push_back(at->path());
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    layers.syntax.push_back({folder, 0, "", error.message()});
  }
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    append(layers, read_file_layer(path));
  }
  return layers;
}

}  // namespace

Entry make_entry(std::string key, const Value& value, std::string source) {
  const Key* known = find_key(key);
  const bool text_table =
      known != nullptr && known->shape.form == Form::kTextTable;
  return {
      std::move(key), text_table ? flattened(value) : value, std::move(source)};
}

Layers read_document(std::string_view text, const std::string& source) {
  Layers layers;
  const ParsedToml parsed = parse_toml(text);
  if (parsed.error) {
    layers.syntax.push_back(
        {source, parsed.error->line, "", "no TOML: " + parsed.error->message});
    return layers;
  }
  for (const auto& [name, value] : parsed.table) {
    const auto* section = std::get_if<Value::Table>(&value.data);
    if (section == nullptr) {
      layers.entries.push_back(make_entry(name, value, source));
    } else if (!is_section(name)) {
      const std::string hint = suggest_section(name);
      layers.mistakes.push_back(
          {source,
           value.line,
           "[" + name + "]",
           "there is no such section" + (hint.empty() ? "" : "; " + hint)});
    } else {
      for (const auto& [key, item] : *section) {
        layers.entries.push_back(make_entry(name + "." + key, item, source));
      }
    }
  }
  return layers;
}

Layers read_layers(const ConfigSources& sources) {
  Layers layers;
  if (!sources.file.empty()) {
    append(layers, read_file_layer(sources.file));
    append(layers, read_drop_ins(sources.file));
  }
  append(layers, read_environment(sources.environment));
  append(layers, read_flags(sources.overrides));
  return layers;
}

}  // namespace swavd::service
