#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace swavd::state {

/// Where a bucket's name stands in a request.
enum class S3Addressing {
  kAuto,     ///< in the host at AWS, unless it has dots; elsewhere in the path
  kPath,     ///< https://HOST/BUCKET/KEY
  kVirtual,  ///< https://BUCKET.HOST/KEY
};

/// How to reach "s3://BUCKET/PREFIX". A field that is empty is taken from the
/// environment variables that other tools for S3 read, too.
struct S3Options {
  /// "https://HOST[:PORT]" or "http://…"; empty: AWS_ENDPOINT_URL_S3, then
  /// AWS_ENDPOINT_URL, then AWS's own for the region.
  std::string endpoint;
  /// Empty: AWS_REGION, then AWS_DEFAULT_REGION, then "us-east-1".
  std::string region;
  S3Addressing addressing = S3Addressing::kAuto;
  /// An INI file of profiles, and then the only place credentials come from.
  /// Empty: AWS_ACCESS_KEY_ID and its kin, a web identity, the files of
  /// AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, the instance's metadata.
  std::string credentials_file;
  /// Empty: AWS_PROFILE, then "default".
  std::string profile;
  /// Certificates to trust instead of the machine's; empty: AWS_CA_BUNDLE.
  std::string ca_file;
  /// Of each upload; 0: no limit.
  std::uint64_t upload_bytes_per_second = 0;
  /// Larger objects go up in parts; what is smaller is held in memory whole.
  std::uint64_t multipart_bytes = 64ULL << 20U;
  /// At least 5 MiB, which is S3's own least. Larger where an object would
  /// have more than 10,000 parts.
  std::uint64_t part_bytes = 16ULL << 20U;
  std::chrono::milliseconds connect_timeout{10'000};
  /// A transfer that moves nothing for so long is given up and tried again.
  std::chrono::seconds stall_timeout{30};
  /// Of one request, the first included.
  int attempts = 8;
  /// Pauses are drawn from [0, first_pause * 2^n], at most longest_pause.
  std::chrono::milliseconds first_pause{100};
  std::chrono::milliseconds longest_pause{20'000};
  /// Asked again and again while a request or a pause is under way: once true,
  /// that ends within about a second, without another attempt, and all later
  /// ones at once: kUnavailable. On any thread; empty: never.
  std::function<bool()> give_up;
  /// Told of each attempt that is made again: "timeout", "connection",
  /// "truncated", "throttled", "server_error" or "conflict". On any thread.
  std::function<void(std::string_view reason)> on_retry;
};

}  // namespace swavd::state
