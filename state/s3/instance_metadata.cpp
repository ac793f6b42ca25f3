// The role of an EC2 instance, by version 2 of its metadata service: a token
// first, which a forged request from elsewhere could not get.
#include <chrono>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "state/s3/credential_sources.h"
#include "state/s3/http_client.h"

namespace swavd::state {

namespace {

constexpr int kMetadataOk = 200;
constexpr std::string_view kRolePath =
    "/latest/meta-data/iam/security-credentials/";

Error metadata_error(const std::string& what, const HttpAnswer& answer) {
  return {
      ErrorCode::kUnavailable,
      fmt::format(
          "the instance's metadata service does not give {}: {}",
          what,
          answer.failure.empty() ? fmt::format("status {}", answer.status)
                                 : answer.failure)};
}

}  // namespace

Result<std::optional<Credentials>> instance_credentials(
    const Surroundings& surroundings) {
  if (surroundings.variable("AWS_EC2_METADATA_DISABLED") == "true") {
    return std::optional<Credentials>();
  }
  std::string endpoint =
      surroundings.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (endpoint.empty()) {
    endpoint = "http://169.254.169.254";
  }
  // On a machine that is no instance nobody answers there: do not wait long.
  HttpLimits limits;
  limits.connect_timeout = std::chrono::seconds(1);
  limits.stall_timeout = std::chrono::seconds(5);
  limits.proxy = false;
  HttpClient client(limits);
  const HttpAnswer token = client.perform(
      {"PUT",
       endpoint + "/latest/api/token",
       {{"X-aws-ec2-metadata-token-ttl-seconds", "300"}},
       {},
       {}});
  if (token.status == 0) {
    return std::optional<Credentials>();
  }
  if (token.status != kMetadataOk) {
    return metadata_error("a token", token);
  }
  const auto get = [&](const std::string& path) {
    return client.perform(
        {"GET",
         endpoint + path,
         {{"X-aws-ec2-metadata-token", token.body}},
         {},
         {}});
  };
  const HttpAnswer role = get(std::string(kRolePath));
  if (role.status != kMetadataOk || role.body.empty()) {
    return metadata_error("a role", role);
  }
  const HttpAnswer keys =
      get(std::string(kRolePath) + role.body.substr(0, role.body.find('\n')));
  if (keys.status != kMetadataOk || !keys.failure.empty()) {
    return metadata_error("the role's keys", keys);
  }
  auto found =
      credentials_from_json(keys.body, "Token", "the instance's metadata");
  if (!found.ok()) {
    return found.error();
  }
  return std::optional(std::move(found).value());
}

}  // namespace swavd::state
