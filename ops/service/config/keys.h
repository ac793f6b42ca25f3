#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ops/service/config.h"

namespace swavd::service {

/// How a key is written in TOML.
enum class Form {
  kText,
  kInteger,
  kReal,
  kFlag,
  kBytes,         ///< an integer or "16MiB"
  kSeconds,       ///< "10m", whole seconds
  kMilliseconds,  ///< "500ms"
  kIntegers,
  kReals,
  kTexts,
  kCrops,
  kTextTable,  ///< names of the user's choice
};

/// Says what is wrong with a text, and what to write instead; nullopt when
/// nothing is.
using Objection = std::optional<std::string> (*)(const std::string& text);

/// Which values a key takes.
struct Shape {
  Form form = Form::kText;
  std::string_view unit;  ///< for the reference page
  // kInteger, kBytes, kSeconds, kMilliseconds (the last three in the unit of
  // the field) and the items of kIntegers.
  std::int64_t least = 0;
  std::int64_t most = 0;
  std::int64_t multiple_of = 1;
  // kReal and the items of kReals.
  double lowest = 0;
  double highest = 0;
  bool above_lowest = false;   ///< `lowest` itself is out
  std::size_t length = 0;      ///< of a list; 0: any but none
  bool may_be_empty = false;   ///< a list
  bool may_be_single = false;  ///< a list of one may be written as its item
  // kText.
  std::span<const std::string_view> choices;
  Objection objection = nullptr;
};

template <typename T>
using Access = T& (*)(Config&);

/// Where a key's value lives.
using Field = std::variant<
    Access<std::string>,
    Access<std::int64_t>,
    Access<std::uint64_t>,
    Access<double>,
    Access<bool>,
    Access<std::vector<std::int64_t>>,
    Access<std::vector<double>>,
    Access<std::vector<std::string>>,
    Access<std::vector<CropConfig>>,
    Access<std::map<std::string, std::string>>>;

/// One row of the table that drives reading, checking, printing and the
/// reference page.
struct Key {
  std::string_view name;  ///< "section.key"; without a dot at the top level
  Field field;
  Shape shape;
  KeyClass key_class = KeyClass::kRestart;
  std::string_view doc;
};

/// All keys, section by section.
[[nodiscard]] std::span<const Key> all_keys();

/// nullptr when there is none of that name.
[[nodiscard]] const Key* find_key(std::string_view name);

/// "" for the top level.
[[nodiscard]] std::string_view section_of(std::string_view name);
[[nodiscard]] std::string_view name_in_section(std::string_view name);

[[nodiscard]] bool is_section(std::string_view name);

/// "did you mean X?" for a name that is no key; empty when nothing is near.
[[nodiscard]] std::string suggest_key(std::string_view name);

/// The same for a section.
[[nodiscard]] std::string suggest_section(std::string_view name);

}  // namespace swavd::service
