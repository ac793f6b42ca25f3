#include "state/s3/s3_client.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <initializer_list>
#include <iterator>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>

#include "ops/base/log.h"
#include "ops/base/sha256.h"
#include "state/s3/percent.h"

namespace swavd::state {

namespace {

using std::chrono::milliseconds;

constexpr int kTooManyRequests = 429;
constexpr int kServiceUnavailable = 503;

bool is_one_of(
    std::string_view word,
    std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// The key is not, or no longer, known; another one may be there by now.
bool is_stale_key(std::string_view code) {
  return is_one_of(
      code,
      {"ExpiredToken",
       "InvalidAccessKeyId",
       "InvalidToken",
       "TokenRefreshRequired",
       "XAdminUserNotFound"});  // versitygw's, with status 404
}

/// A code or a region is a stranger's text: letters, digits and '-' of it only.
std::string clean_word(std::string_view text) {
  constexpr std::size_t kLongest = 64;
  static constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
  std::string clean(text.substr(0, kLongest));
  std::erase_if(
      clean, [](char c) { return kAllowed.find(c) == std::string_view::npos; });
  return clean;
}

std::optional<milliseconds> retry_after(const HttpAnswer& answer) {
  const std::string text = answer.header("retry-after");
  int seconds = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || parsed.ec != std::errc() || seconds < 0) {
    return std::nullopt;
  }
  return std::chrono::seconds(seconds);
}

HttpLimits limits_of(
    const S3Options& options,
    const Surroundings& surroundings) {
  HttpLimits limits;
  limits.connect_timeout = options.connect_timeout;
  limits.stall_timeout = options.stall_timeout;
  limits.upload_bytes_per_second = options.upload_bytes_per_second;
  limits.give_up = options.give_up;
  limits.ca_file = options.ca_file.empty()
                       ? surroundings.variable("AWS_CA_BUNDLE")
                       : options.ca_file;
  return limits;
}

/// What whoever runs the daemon can do about a refusal.
std::string advice(const S3Location& location, const S3Answer& answer) {
  const std::string region =
      clean_word(answer.http.header("x-amz-bucket-region"));
  if (!region.empty() && region != location.region) {
    return fmt::format(
        "; the bucket is in another region: set object_store.region to \"{}\"",
        region);
  }
  if (answer.code == "NoSuchBucket") {
    return "; create the bucket, or correct object_store.url";
  }
  if (answer.code == "AccessDenied") {
    return "; give these credentials the right to do this in the bucket";
  }
  if (is_stale_key(answer.code) || answer.code == "SignatureDoesNotMatch") {
    return "; the credentials are wrong or have been taken back: replace them";
  }
  if (answer.code == "RequestTimeTooSkewed") {
    return "; set this machine's clock";
  }
  if (answer.http.failure == "tls") {
    return "; see object_store.ca_file and the endpoint's name";
  }
  return "";
}

}  // namespace

bool S3Answer::ok() const {
  constexpr int kOk = 200;
  constexpr int kRedirected = 300;
  return http.failure.empty() && http.status >= kOk &&
         http.status < kRedirected && code.empty();
}

S3Client::S3Client(
    S3Location location,
    S3Options options,
    Surroundings surroundings,
    CredentialSource credentials)
    : location_(std::move(location)),
      options_(std::move(options)),
      surroundings_(std::move(surroundings)),
      http_(limits_of(options_, surroundings_)),
      credentials_(std::move(credentials), surroundings_.clock) {}

S3Answer S3Client::exchange(
    const S3Request& request,
    const Credentials& credentials) {
  RequestToSign to_sign;
  to_sign.method = request.method;
  to_sign.path = location_.path_of(request.key);
  to_sign.query = request.query;
  to_sign.body_sha256 = sha256_hex(request.body);
  const std::string time =
      signing_time(surroundings_.clock->unix_ms() + skew_ms_);
  to_sign.headers = {
      {"Host", location_.host},
      {"x-amz-content-sha256", to_sign.body_sha256},
      {"x-amz-date", time}};
  if (!credentials.session_token.empty()) {
    to_sign.headers.emplace_back(
        "x-amz-security-token", credentials.session_token);
  }
  to_sign.headers.insert(
      to_sign.headers.end(), request.headers.begin(), request.headers.end());
  HttpRequest http;
  http.method = request.method;
  http.url = fmt::format(
      "{}://{}{}{}{}",
      location_.scheme,
      location_.host,
      percent_encode(to_sign.path, Slash::kKept),
      request.query.empty() ? "" : "?",
      canonical_query(request.query));
  http.headers = to_sign.headers;
  http.headers.emplace_back(
      "Authorization",
      authorization(to_sign, {location_.region, "s3", time}, credentials.key));
  if (request.method == "PUT" || request.method == "POST") {
    http.headers.emplace_back("Content-Type", "application/octet-stream");
  }
  http.body = request.body;
  http.sink = request.sink;
  S3Answer answer;
  answer.http = http_.perform(http);
  if (auto root = parse_xml(answer.http.body); root.ok()) {
    answer.root = std::move(root).value();
    // CompleteMultipartUpload tells of failures with status 200.
    if (answer.root.name == "Error") {
      answer.code = clean_word(answer.root.text_of("Code"));
    }
  }
  return answer;
}

bool S3Client::adopt_clock(const S3Answer& answer) {
  const std::string date = answer.http.header("date");
  const std::time_t server = curl_getdate(date.c_str(), nullptr);
  if (server < 0) {
    return false;
  }
  constexpr std::int64_t kMsPerSecond = 1000;
  const std::int64_t skew = static_cast<std::int64_t>(server) * kMsPerSecond -
                            surroundings_.clock->unix_ms();
  if (std::abs(skew - skew_ms_) < kMsPerSecond) {
    return false;
  }
  skew_ms_ = skew;
  log(LogLevel::kWarning,
      "clock_skew",
      fmt::format(
          "this machine's clock differs from the object store's by {} s; "
          "requests are signed with the store's time",
          -skew / kMsPerSecond));
  return true;
}

Result<S3Answer> S3Client::attempt(const S3Request& request) {
  auto credentials = credentials_.get();
  if (!credentials.ok()) {
    return credentials.error();
  }
  S3Answer answer = exchange(request, credentials.value());
  if (answer.code == "RequestTimeTooSkewed" && adopt_clock(answer)) {
    answer = exchange(request, credentials.value());
  }
  if (is_stale_key(answer.code)) {
    const auto fresh = credentials_.renew(credentials.value());
    if (!fresh.ok()) {
      return fresh.error();
    }
    if (!(fresh.value() == credentials.value())) {
      answer = exchange(request, fresh.value());
    }
  }
  return answer;
}

std::string_view S3Client::reason_to_retry(const S3Answer& answer) {
  constexpr int kServerError = 500;
  constexpr int kNotImplemented = 501;
  constexpr int kInsufficientStorage = 507;
  constexpr int kConflict = 409;
  const int status = answer.http.status;
  if (const std::string& failure = answer.http.failure; !failure.empty()) {
    const bool other_time = !is_one_of(failure, {"tls", "sink", "too_large"});
    constexpr std::string_view kWords[] = {"timeout", "truncated"};
    const auto* const word = std::find(
        std::begin(kWords), std::end(kWords), std::string_view(failure));
    return !other_time                ? std::string_view()
           : word == std::end(kWords) ? std::string_view("connection")
                                      : *word;
  }
  if (status == kTooManyRequests || status == kServiceUnavailable ||
      answer.code == "SlowDown") {
    return "throttled";
  }
  if (answer.code == "RequestTimeout") {
    return "timeout";
  }
  if (status == kConflict &&
      is_one_of(
          answer.code, {"ConditionalRequestConflict", "OperationAborted"})) {
    return "conflict";
  }
  if ((status >= kServerError && status != kNotImplemented &&
       status != kInsufficientStorage) ||
      answer.code == "InternalError") {
    return "server_error";
  }
  return "";
}

Retry S3Client::retry() {
  return {
      {options_.attempts, options_.first_pause, options_.longest_pause},
      Random(stream_key(surroundings_.seed, "s3.retry"), calls_++),
      [this](std::chrono::milliseconds time) { pause(time); }};
}

bool S3Client::given_up() const {
  return options_.give_up && options_.give_up();
}

void S3Client::pause(std::chrono::milliseconds time) const {
  constexpr std::chrono::milliseconds kSlice{200};
  if (!options_.give_up) {
    surroundings_.wait(time);
    return;
  }
  for (; time > kSlice && !given_up(); time -= kSlice) {
    surroundings_.wait(kSlice);
  }
  if (!given_up()) {
    surroundings_.wait(time);
  }
}

bool S3Client::again(Retry& retry, const S3Answer& answer) {
  if (given_up() || !retry.again(retry_after(answer.http)) || given_up()) {
    return false;
  }
  if (options_.on_retry) {
    options_.on_retry(reason_to_retry(answer));
  }
  return true;
}

Result<S3Answer> S3Client::call(const S3Request& request) {
  Retry pauses = retry();
  while (true) {
    auto answer = attempt(request);
    if (!answer.ok() || reason_to_retry(answer.value()).empty()) {
      return answer;
    }
    if (!again(pauses, answer.value())) {
      return refusal(request, answer.value());
    }
  }
}

Error S3Client::refusal(const S3Request& request, const S3Answer& answer)
    const {
  constexpr int kInsufficientStorage = 507;
  const HttpAnswer& http = answer.http;
  const bool full =
      http.status == kInsufficientStorage ||
      is_one_of(
          answer.code,
          {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull"});
  const bool absent =
      answer.code == "NoSuchKey" || (http.status == 404 && answer.code.empty());
  const std::string what =
      !http.failure.empty() ? fmt::format("{} ({})", http.failure, http.detail)
                            : fmt::format(
                                  "status {}{}{}",
                                  http.status,
                                  answer.code.empty() ? "" : " ",
                                  answer.code);
  return {
      full     ? ErrorCode::kExhausted
      : absent ? ErrorCode::kNotFound
               : ErrorCode::kUnavailable,
      fmt::format(
          "{} {}: {}{}",
          request.method,
          location_.name_of(request.key),
          what,
          advice(location_, answer))};
}

}  // namespace swavd::state
