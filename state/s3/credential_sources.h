#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "ops/base/result.h"
#include "state/s3/credentials.h"
#include "state/s3/surroundings.h"
#include "state/s3_options.h"

namespace swavd::state {

/// The first of these that is set up, chosen anew at each call: the file of
/// the options (then nothing else), AWS_ACCESS_KEY_ID and its kin, a web
/// identity, the profile in the shared files, the instance's metadata. One that
/// is set up and fails is an error: nobody else's rights are used instead.
/// Errors: kConfig (none, or not readable), kUnavailable.
[[nodiscard]] CredentialSource credential_chain(
    const S3Options& options,
    const std::string& region,
    const Surroundings& surroundings);

/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; nullopt when
/// the first is not set. Errors: kConfig.
[[nodiscard]] Result<std::optional<Credentials>> environment_credentials(
    const Surroundings& surroundings);

/// The keys that `profile` has in an INI file, or what its
/// `credential_process` prints; nullopt when the file is absent or has no such
/// section or the section has neither. Errors: kConfig, kUnavailable, kIo.
[[nodiscard]] Result<std::optional<Credentials>> file_credentials(
    const std::filesystem::path& file,
    const std::string& profile);

/// What `command` prints: {"Version": 1, "AccessKeyId", "SecretAccessKey",
/// "SessionToken", "Expiration"}. It runs under sh for at most a minute.
/// Errors: kConfig, kUnavailable.
[[nodiscard]] Result<Credentials> process_credentials(
    const std::string& command);

/// Exchanges the token in AWS_WEB_IDENTITY_TOKEN_FILE for the role
/// AWS_ROLE_ARN at STS; nullopt when these are not set. Errors: kConfig,
/// kUnavailable.
[[nodiscard]] Result<std::optional<Credentials>> web_identity_credentials(
    const std::string& region,
    const Surroundings& surroundings,
    const std::string& ca_file);

/// The role of this EC2 instance, from its metadata service (version 2);
/// nullopt when AWS_EC2_METADATA_DISABLED says so or nobody answers. Errors:
/// kUnavailable.
[[nodiscard]] Result<std::optional<Credentials>> instance_credentials(
    const Surroundings& surroundings);

/// Credentials from the JSON of a process or of the metadata service, whose
/// names for the token differ. No part of `text` gets into the error: kConfig.
[[nodiscard]] Result<Credentials> credentials_from_json(
    std::string_view text,
    const char* token_name,
    std::string origin);

/// Unix ms of "2026-11-24T08:00:00Z", with or without a fraction; nullopt for
/// anything else.
[[nodiscard]] std::optional<std::int64_t> parse_expiry(std::string_view text);

}  // namespace swavd::state
