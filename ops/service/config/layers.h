#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ops/service/config.h"
#include "ops/service/config/value.h"

namespace swavd::service {

/// One key as one source gives it.
struct Entry {
  std::string key;  ///< "section.key"
  Value value;
  std::string source;  ///< a file's path, "environment", "flag", "preset NAME"
};

/// Entries in rising precedence, and what could not be read at all.
struct Layers {
  std::vector<Entry> entries;
  std::vector<ConfigMistake> mistakes;  ///< unknown sections, odd variables
  std::vector<ConfigMistake> syntax;    ///< unreadable files
};

/// An entry; the tables inside a table of texts become dotted names.
[[nodiscard]] Entry
make_entry(std::string key, const Value& value, std::string source);

/// Everything but the preset and the defaults: the file, its conf.d, the
/// environment, the flags.
[[nodiscard]] Layers read_layers(const ConfigSources& sources);

/// The entries of one TOML document. `source` names it in messages.
[[nodiscard]] Layers read_document(
    std::string_view text,
    const std::string& source);

}  // namespace swavd::service
