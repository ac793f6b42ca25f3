#include "state/s3/credential_sources.h"

#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "state/content/strict_json.h"
#include "state/content/utc.h"

namespace swavd::state {

namespace {

using MaybeCredentials = Result<std::optional<Credentials>>;

std::string profile_name(
    const S3Options& options,
    const Surroundings& surroundings) {
  if (!options.profile.empty()) {
    return options.profile;
  }
  const std::string named = surroundings.variable("AWS_PROFILE");
  return named.empty() ? "default" : named;
}

/// The shared files, in the order they are asked.
std::vector<std::filesystem::path> shared_files(
    const Surroundings& surroundings) {
  std::vector<std::filesystem::path> files;
  const std::string home = surroundings.variable("HOME");
  const auto add = [&](const char* variable, const char* name) {
    if (std::string path = surroundings.variable(variable); !path.empty()) {
      files.emplace_back(std::move(path));
    } else if (!home.empty()) {
      files.push_back(std::filesystem::path(home) / ".aws" / name);
    }
  };
  add("AWS_SHARED_CREDENTIALS_FILE", "credentials");
  add("AWS_CONFIG_FILE", "config");
  return files;
}

MaybeCredentials shared_file_credentials(
    const std::string& profile,
    const Surroundings& surroundings) {
  for (const auto& file : shared_files(surroundings)) {
    auto found = file_credentials(file, profile);
    if (!found.ok() || found.value()) {
      return found;
    }
  }
  return std::optional<Credentials>();
}

Result<Credentials> credentials_of_file(
    const std::string& file,
    const std::string& profile) {
  auto found = file_credentials(file, profile);
  if (!found.ok()) {
    return found.error();
  }
  if (!found.value()) {
    return Error{
        ErrorCode::kConfig,
        fmt::format(
            "{} is not there or has no keys for the profile \"{}\": write "
            "[{}] with aws_access_key_id and aws_secret_access_key",
            file,
            profile,
            profile)};
  }
  return *std::move(found).value();
}

Error no_credentials() {
  return {
      ErrorCode::kConfig,
      "no credentials for the object store: set object_store.credentials_file, "
      "or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a "
      "role"};
}

}  // namespace

CredentialSource credential_chain(
    const S3Options& options,
    const std::string& region,
    const Surroundings& surroundings) {
  return [options, region, surroundings]() -> Result<Credentials> {
    const std::string profile = profile_name(options, surroundings);
    if (!options.credentials_file.empty()) {
      return credentials_of_file(options.credentials_file, profile);
    }
    const std::function<MaybeCredentials()> sources[] = {
        [&] { return environment_credentials(surroundings); },
        [&] {
          return web_identity_credentials(
              region, surroundings, options.ca_file);
        },
        [&] { return shared_file_credentials(profile, surroundings); },
        [&] { return instance_credentials(surroundings); }};
    for (const auto& source : sources) {
      auto found = source();
      if (!found.ok()) {
        return found.error();
      }
      if (found.value()) {
        return *std::move(found).value();
      }
    }
    return no_credentials();
  };
}

MaybeCredentials environment_credentials(const Surroundings& surroundings) {
  Credentials found;
  found.key.id = surroundings.variable("AWS_ACCESS_KEY_ID");
  if (found.key.id.empty()) {
    return std::optional<Credentials>();
  }
  found.key.secret = surroundings.variable("AWS_SECRET_ACCESS_KEY");
  if (found.key.secret.empty()) {
    return Error{
        ErrorCode::kConfig,
        "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not"};
  }
  found.session_token = surroundings.variable("AWS_SESSION_TOKEN");
  found.origin = "the environment";
  return std::optional(std::move(found));
}

Result<Credentials> credentials_from_json(
    std::string_view text,
    const char* token_name,
    std::string origin) {
  constexpr std::size_t kDepth = 4;
  const auto json = parse_strict_json<nlohmann::json>(text, kDepth);
  const auto text_at = [&](const char* name) {
    const auto at = json.value().find(name);
    return at != json.value().end() && at->is_string() ? at->get<std::string>()
                                                       : std::string();
  };
  Credentials found;
  if (json.ok() && json.value().is_object()) {
    found.key = {text_at("AccessKeyId"), text_at("SecretAccessKey")};
    found.session_token = text_at(token_name);
    const std::string expires = text_at("Expiration");
    found.expires_unix_ms = parse_expiry(expires);
    if (!expires.empty() && !found.expires_unix_ms) {
      return Error{
          ErrorCode::kConfig,
          origin + ": Expiration is no time such as 2026-01-31T12:00:00Z"};
    }
  }
  if (found.key.id.empty() || found.key.secret.empty()) {
    return Error{
        ErrorCode::kConfig,
        origin + " gave no JSON with AccessKeyId and SecretAccessKey"};
  }
  found.origin = std::move(origin);
  return found;
}

std::optional<std::int64_t> parse_expiry(std::string_view text) {
  constexpr std::size_t kWithoutFraction = 20;  // "2026-11-24T08:00:00Z"
  std::string full(text);
  if (full.ends_with("+00:00")) {
    full.replace(full.size() - 6, 6, "Z");
  }
  if (full.size() < kWithoutFraction || full.back() != 'Z') {
    return std::nullopt;
  }
  // Milliseconds, whatever digits of a fraction there are.
  std::string fraction = full.substr(kWithoutFraction - 1);
  fraction.pop_back();
  if (!fraction.empty() && fraction.front() != '.') {
    return std::nullopt;
  }
  fraction.resize(4, '0');
  fraction.front() = '.';
  return parse_utc(full.substr(0, kWithoutFraction - 1) + fraction + "Z");
}

}  // namespace swavd::state
