// A role by a web identity: Kubernetes mounts a token, STS takes it.
#include <string>
#include <utility>

#include <fmt/format.h>

#include "ops/base/files.h"
#include "state/s3/credential_sources.h"
#include "state/s3/http_client.h"
#include "state/s3/signer.h"
#include "state/s3/xml.h"

namespace swavd::state {

namespace {

std::string sts_endpoint(
    const std::string& region,
    const Surroundings& surroundings) {
  const std::string named = surroundings.variable("AWS_ENDPOINT_URL_STS");
  return named.empty() ? fmt::format("https://sts.{}.amazonaws.com", region)
                       : named;
}

Result<Credentials> credentials_from_sts(const HttpAnswer& answer) {
  constexpr int kOk = 200;
  const auto root = parse_xml(answer.body);
  if (!answer.failure.empty() || answer.status != kOk) {
    const XmlElement* const error =
        root.ok() ? root.value().child("Error") : nullptr;
    return Error{
        ErrorCode::kUnavailable,
        fmt::format(
            "STS gives no credentials for AWS_ROLE_ARN: {} {}",
            answer.failure.empty() ? std::to_string(answer.status)
                                   : answer.failure,
            error == nullptr ? "" : error->text_of("Code"))};
  }
  const XmlElement* const result =
      root.ok() ? root.value().child("AssumeRoleWithWebIdentityResult")
                : nullptr;
  const XmlElement* const fields =
      result == nullptr ? nullptr : result->child("Credentials");
  Credentials found;
  if (fields != nullptr) {
    found.key = {
        std::string(fields->text_of("AccessKeyId")),
        std::string(fields->text_of("SecretAccessKey"))};
    found.session_token = fields->text_of("SessionToken");
    found.expires_unix_ms = parse_expiry(fields->text_of("Expiration"));
  }
  if (found.key.id.empty() || found.key.secret.empty() ||
      !found.expires_unix_ms) {
    return Error{
        ErrorCode::kUnavailable, "the answer of STS holds no credentials"};
  }
  found.origin = "a web identity";
  return found;
}

}  // namespace

Result<std::optional<Credentials>> web_identity_credentials(
    const std::string& region,
    const Surroundings& surroundings,
    const std::string& ca_file) {
  const std::string file = surroundings.variable("AWS_WEB_IDENTITY_TOKEN_FILE");
  const std::string role = surroundings.variable("AWS_ROLE_ARN");
  if (file.empty() || role.empty()) {
    return std::optional<Credentials>();
  }
  const auto token = read_file(file);
  if (!token.ok()) {
    return Error{
        ErrorCode::kConfig,
        "AWS_WEB_IDENTITY_TOKEN_FILE: " + token.error().message};
  }
  const std::string session = surroundings.variable("AWS_ROLE_SESSION_NAME");
  const std::string form = canonical_query(
      {{"Action", "AssumeRoleWithWebIdentity"},
       {"Version", "2011-06-15"},
       {"RoleArn", role},
       {"RoleSessionName", session.empty() ? "swavd" : session},
       {"WebIdentityToken", std::string(as_text(token.value()))}});
  HttpLimits limits;
  limits.ca_file = ca_file;
  HttpClient client(limits);
  auto found = credentials_from_sts(client.perform(
      {"POST",
       sts_endpoint(region, surroundings),
       {{"Content-Type", "application/x-www-form-urlencoded"}},
       as_bytes(form),
       {}}));
  if (!found.ok()) {
    return found.error();
  }
  return std::optional(std::move(found).value());
}

}  // namespace swavd::state
