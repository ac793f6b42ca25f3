#include "ops/service/config/keys.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "ops/service/config/nearest.h"

namespace swavd::service {
namespace {

std::vector<std::string_view> section_names() {
  std::vector<std::string_view> names;
  for (const Key& key : all_keys()) {
    const std::string_view section = section_of(key.name);
    if (!section.empty() && (names.empty() || names.back() != section)) {
      names.push_back(section);
    }
  }
  return names;
}

std::string as_question(std::string_view name) {
  return name.empty() ? "" : fmt::format("did you mean {}?", name);
}

}  // namespace

const Key* find_key(std::string_view name) {
  const auto keys = all_keys();
  const auto found =
      std::find_if(keys.begin(), keys.end(), [name](const Key& key) {
        return key.name == name;
      });
  return found == keys.end() ? nullptr : &*found;
}

std::string_view section_of(std::string_view name) {
  const auto dot = name.find('.');
  return dot == std::string_view::npos ? "" : name.substr(0, dot);
}

std::string_view name_in_section(std::string_view name) {
  const auto dot = name.find('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

bool is_section(std::string_view name) {
  const auto names = section_names();
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string suggest_key(std::string_view name) {
  // The right name in the wrong section is likelier than a wrong letter.
  for (const Key& key : all_keys()) {
    if (name_in_section(key.name) == name_in_section(name)) {
      return as_question(key.name);
    }
  }
  std::vector<std::string_view> siblings;
  for (const Key& key : all_keys()) {
    if (section_of(key.name) == section_of(name)) {
      siblings.push_back(name_in_section(key.name));
    }
  }
  const std::string_view near = nearest(name_in_section(name), siblings);
  if (near.empty()) {
    return "";
  }
  const std::string_view section = section_of(name);
  return as_question(
      section.empty() ? std::string(near)
                      : fmt::format("{}.{}", section, near));
}

std::string suggest_section(std::string_view name) {
  const auto names = section_names();
  const std::string_view near = nearest(name, names);
  return near.empty() ? "" : as_question(fmt::format("[{}]", near));
}

}  // namespace swavd::service
