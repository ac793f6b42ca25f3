#include "state/s3/location.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace swavd::state {

namespace {

constexpr std::string_view kS3Scheme = "s3://";

std::string first_of(
    const std::string& given,
    const Surroundings& surroundings,
    std::initializer_list<const char*> variables,
    std::string otherwise) {
  if (!given.empty()) {
    return given;
  }
  for (const char* name : variables) {
    if (std::string value = surroundings.variable(name); !value.empty()) {
      return value;
    }
  }
  return otherwise;
}

bool is_bucket(std::string_view name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return name.size() >= 3 && name.size() <= 63 &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool is_region(std::string_view name) {
  return !name.empty() &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") ==
             std::string_view::npos;
}

/// Splits "https://HOST[:PORT]" into scheme and host.
Result<std::pair<std::string, std::string>> split_endpoint(
    std::string_view endpoint) {
  const std::size_t colon = endpoint.find("://");
  const std::string_view scheme =
      endpoint.substr(0, std::min(colon, endpoint.size()));
  std::string_view host = colon == std::string_view::npos
                              ? std::string_view()
                              : endpoint.substr(colon + 3);
  if (host.ends_with('/')) {
    host.remove_suffix(1);
  }
  if ((scheme != "http" && scheme != "https") || host.empty() ||
      host.find_first_of("/?#@ \t\r\n") != std::string_view::npos) {
    // The text itself may hold a password before an '@'.
    return Error{
        ErrorCode::kInvalidArgument,
        "the endpoint of the object store is no URL: write "
        "https://HOST[:PORT], without user, path or query"};
  }
  return std::pair(std::string(scheme), std::string(host));
}

}  // namespace

std::string S3Location::path_of(const std::string& key) const {
  return bucket_in_host ? "/" + key : fmt::format("/{}/{}", bucket, key);
}

std::string S3Location::name_of(const std::string& key) const {
  return fmt::format("{}{}/{}", kS3Scheme, bucket, key);
}

Result<S3Location> locate(
    const std::string& url,
    const S3Options& options,
    const Surroundings& surroundings) {
  S3Location location;
  const std::string_view rest = std::string_view(url).substr(kS3Scheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  location.bucket = rest.substr(0, slash);
  if (!is_bucket(location.bucket)) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("\"{}\" names no bucket; write s3://BUCKET/PREFIX", url)};
  }
  location.prefix = rest.substr(std::min(slash + 1, rest.size()));
  if (!location.prefix.empty() && !location.prefix.ends_with('/')) {
    location.prefix += '/';
  }
  location.region = first_of(
      options.region,
      surroundings,
      {"AWS_REGION", "AWS_DEFAULT_REGION"},
      "us-east-1");
  if (!is_region(location.region)) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("\"{}\" is no region of S3", location.region)};
  }
  const std::string endpoint = first_of(
      options.endpoint,
      surroundings,
      {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"},
      "");
  const auto parts = split_endpoint(
      endpoint.empty()
          ? fmt::format("https://s3.{}.amazonaws.com", location.region)
          : endpoint);
  if (!parts.ok()) {
    return parts.error();
  }
  location.scheme = parts.value().first;
  location.host = parts.value().second;
  // A certificate for *.HOST covers no name with further dots.
  const bool fits_in_host =
      endpoint.empty() && location.bucket.find('.') == std::string::npos;
  location.bucket_in_host =
      options.addressing == S3Addressing::kVirtual ||
      (options.addressing == S3Addressing::kAuto && fits_in_host);
  if (location.bucket_in_host) {
    location.host = location.bucket + "." + location.host;
  }
  return location;
}

}  // namespace swavd::state
