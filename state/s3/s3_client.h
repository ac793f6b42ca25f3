#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ops/base/result.h"
#include "state/s3/credentials.h"
#include "state/s3/http_client.h"
#include "state/s3/location.h"
#include "state/s3/retry.h"
#include "state/s3/surroundings.h"
#include "state/s3/xml.h"
#include "state/s3_options.h"

namespace swavd::state {

/// One request of the S3 API.
struct S3Request {
  std::string method;
  std::string key;  ///< with the store's prefix; empty: the bucket
  NameValues query;
  NameValues headers;  ///< besides those of the signature
  Bytes body;          ///< borrowed for the call
  BodySink sink;       ///< as in HttpRequest
};

struct S3Answer {
  HttpAnswer http;
  XmlElement root;   ///< of a body that is XML; else without a name
  std::string code;  ///< of S3's <Error>; empty when there is none

  [[nodiscard]] bool ok() const;
};

/// Signs and sends requests, and sends those again that are worth it. Corrects
/// its clock when S3 finds it wrong, and reads credentials anew, once, when
/// they are refused. Thread-safe.
class S3Client {
 public:
  S3Client(
      S3Location location,
      S3Options options,
      Surroundings surroundings,
      CredentialSource credentials);

  /// Until an answer comes that another attempt would not change: success, or
  /// a refusal, which is for the caller to judge. Errors: kUnavailable, all
  /// attempts failed; those of the credentials.
  [[nodiscard]] Result<S3Answer> call(const S3Request& request);

  /// One attempt. Errors: those of the credentials.
  [[nodiscard]] Result<S3Answer> attempt(const S3Request& request);

  /// What makes another attempt worth while, as one word; empty: nothing.
  [[nodiscard]] static std::string_view reason_to_retry(const S3Answer& answer);

  /// The pauses of one call.
  [[nodiscard]] Retry retry();

  /// Before the next attempt at what `answer` failed at: waits. False when all
  /// are used up, and once given up (S3Options).
  [[nodiscard]] bool again(Retry& retry, const S3Answer& answer);

  /// What to tell of an answer that is no success: verb, object, status, S3's
  /// code, what to do. Code kUnavailable, or kExhausted for a quota, kNotFound
  /// for an absent key.
  [[nodiscard]] Error refusal(const S3Request& request, const S3Answer& answer)
      const;

  [[nodiscard]] const S3Location& location() const { return location_; }

  [[nodiscard]] const S3Options& options() const { return options_; }

  [[nodiscard]] const Surroundings& surroundings() const {
    return surroundings_;
  }

 private:
  [[nodiscard]] S3Answer exchange(
      const S3Request& request,
      const Credentials& credentials);
  [[nodiscard]] bool given_up() const;
  /// Lets time pass, less of it once given up.
  void pause(std::chrono::milliseconds time) const;
  /// True when the answer's Date tells another time than was signed with.
  [[nodiscard]] bool adopt_clock(const S3Answer& answer);

  const S3Location location_;
  const S3Options options_;
  const Surroundings surroundings_;
  HttpClient http_;
  CredentialCache credentials_;
  std::atomic<std::int64_t> skew_ms_{0};  ///< S3's clock less this machine's
  std::atomic<std::uint64_t> calls_{0};
};

}  // namespace swavd::state
