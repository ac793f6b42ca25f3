#include "state/s3/signer.h"

#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/format.h>

#include "ops/base/bytes.h"
#include "ops/base/clock.h"
#include "ops/base/sha256.h"
#include "state/s3/percent.h"

namespace swavd::state {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::size_t kDateLength = 8;  // "20150830"

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return text;
}

/// Without spaces at the ends, and with one where there were several.
std::string collapse_spaces(std::string_view value) {
  std::string collapsed;
  for (const char c : value) {
    if (c != ' ' || (!collapsed.empty() && collapsed.back() != ' ')) {
      collapsed += c;
    }
  }
  if (!collapsed.empty() && collapsed.back() == ' ') {
    collapsed.pop_back();
  }
  return collapsed;
}

/// By lower-case name; the values of one name in their order, with commas.
std::map<std::string, std::string> canonical_headers(
    const NameValues& headers) {
  std::map<std::string, std::string> canonical;
  for (const auto& [name, value] : headers) {
    const auto [at, first] =
        canonical.try_emplace(lower_case(name), collapse_spaces(value));
    if (!first) {
      at->second += "," + collapse_spaces(value);
    }
  }
  return canonical;
}

std::string signed_names(const std::map<std::string, std::string>& headers) {
  std::string names;
  for (const auto& [name, value] : headers) {
    names += names.empty() ? name : ";" + name;
  }
  return names;
}

std::string scope_text(const SigningScope& scope) {
  return fmt::format(
      "{}/{}/{}/aws4_request",
      scope.time.substr(0, kDateLength),
      scope.region,
      scope.service);
}

Digest signing_digest(const SigningScope& scope, const SigningKey& key) {
  const std::string seed = "AWS4" + key.secret;
  Digest digest =
      hmac_sha256(as_bytes(seed), as_bytes(scope.time.substr(0, kDateLength)));
  for (const std::string_view part :
       {std::string_view(scope.region),
        std::string_view(scope.service),
        std::string_view("aws4_request")}) {
    digest = hmac_sha256(digest, as_bytes(part));
  }
  return digest;
}

}  // namespace

std::string signing_time(std::int64_t unix_ms) {
  std::string time = format_utc(unix_ms);  // "2015-08-30T12:36:00.000Z"
  time.erase(time.find('.'));
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  return time + "Z";
}

std::string canonical_query(const NameValues& query) {
  std::vector<std::pair<std::string, std::string>> encoded;
  encoded.reserve(query.size());
  for (const auto& [name, value] : query) {
    encoded.emplace_back(
        percent_encode(name, Slash::kEncoded),
        percent_encode(value, Slash::kEncoded));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded) {
    text += fmt::format("{}{}={}", text.empty() ? "" : "&", name, value);
  }
  return text;
}

std::string canonical_request(const RequestToSign& request) {
  const auto headers = canonical_headers(request.headers);
  std::string header_lines;
  for (const auto& [name, value] : headers) {
    header_lines += fmt::format("{}:{}\n", name, value);
  }
  return fmt::format(
      "{}\n{}\n{}\n{}\n{}\n{}",
      request.method,
      percent_encode(request.path, Slash::kKept),
      canonical_query(request.query),
      header_lines,
      signed_names(headers),
      request.body_sha256);
}

std::string authorization(
    const RequestToSign& request,
    const SigningScope& scope,
    const SigningKey& key) {
  const std::string to_sign = fmt::format(
      "{}\n{}\n{}\n{}",
      kAlgorithm,
      scope.time,
      scope_text(scope),
      sha256_hex(as_bytes(canonical_request(request))));
  return fmt::format(
      "{} Credential={}/{}, SignedHeaders={}, Signature={}",
      kAlgorithm,
      key.id,
      scope_text(scope),
      signed_names(canonical_headers(request.headers)),
      to_hex(hmac_sha256(signing_digest(scope, key), as_bytes(to_sign))));
}

}  // namespace swavd::state
