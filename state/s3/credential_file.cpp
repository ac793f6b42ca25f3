#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "ops/base/files.h"
#include "state/s3/credential_sources.h"

namespace swavd::state {

namespace {

using Section = std::map<std::string, std::string, std::less<>>;

std::string_view trim_spaces(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

/// "[default]", "[NAME]" or, as in AWS's config file, "[profile NAME]".
bool names_profile(std::string_view line, std::string_view profile) {
  if (!line.ends_with(']')) {
    return false;
  }
  std::string_view name = trim_spaces(line.substr(1, line.size() - 2));
  constexpr std::string_view kWord = "profile ";
  if (name.starts_with(kWord)) {
    name = trim_spaces(name.substr(kWord.size()));
  }
  return name == profile;
}

/// The values of one profile; empty when there is none.
Section read_profile(std::string_view text, std::string_view profile) {
  Section section;
  bool inside = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim_spaces(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with('[')) {
      inside = names_profile(line, profile);
    } else if (const std::size_t equals = line.find('=');
               inside && equals != std::string_view::npos &&
               line.front() != '#' && line.front() != ';') {
      section.emplace(
          trim_spaces(line.substr(0, equals)),
          trim_spaces(line.substr(equals + 1)));
    }
  }
  return section;
}

std::string value_of(const Section& section, std::string_view name) {
  const auto found = section.find(name);
  return found == section.end() ? std::string() : found->second;
}

}  // namespace

Result<std::optional<Credentials>> file_credentials(
    const std::filesystem::path& file,
    const std::string& profile) {
  const auto bytes = read_file(file);
  if (!bytes.ok()) {
    if (bytes.error().code == ErrorCode::kNotFound) {
      return std::optional<Credentials>();
    }
    return bytes.error();
  }
  const Section section = read_profile(as_text(bytes.value()), profile);
  Credentials found;
  found.key = {
      value_of(section, "aws_access_key_id"),
      value_of(section, "aws_secret_access_key")};
  found.session_token = value_of(section, "aws_session_token");
  found.origin =
      fmt::format("the profile \"{}\" in {}", profile, file.string());
  if (found.key.id.empty() != found.key.secret.empty()) {
    return Error{
        ErrorCode::kConfig,
        found.origin +
            " has one of aws_access_key_id and aws_secret_access_key only"};
  }
  if (!found.key.id.empty()) {
    return std::optional(std::move(found));
  }
  const std::string command = value_of(section, "credential_process");
  if (command.empty()) {
    return std::optional<Credentials>();
  }
  auto printed = process_credentials(command);
  if (!printed.ok()) {
    return printed.error().with_context(found.origin);
  }
  return std::optional(std::move(printed).value());
}

}  // namespace swavd::state
