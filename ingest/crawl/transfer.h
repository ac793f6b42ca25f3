#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <curl/curl.h>

#include "ingest/crawl/address_policy.h"
#include "ingest/crawl/frontier.h"
#include "ingest/crawl/url.h"
#include "ingest/crawler.h"
#include "ops/base/bytes.h"

namespace swavd::ingest {

/// What every transfer of a crawler must keep to. Outlives the transfers.
struct TransferLimits {
  CrawlOptions options;
  AddressPolicy addresses;
};

/// How one HTTP exchange ended.
struct FetchResult {
  CrawlOutcome outcome = CrawlOutcome::kConnect;
  CrawlBlock block = CrawlBlock::kSsrfAddress;  ///< of kBlocked
  long status = 0;                              ///< HTTP, 0 when none came
  std::string redirect_to;   ///< absolute; with a 3xx that names a place
  std::string content_type;  ///< as the server named it
  std::optional<std::chrono::seconds> retry_after;
  ByteVector body;     ///< of kOk
  std::string detail;  ///< for the log, when it failed
};

/// One curl handle that fetches one URL at a time and may be used again. All
/// limits hold inside its callbacks. Not thread-safe.
class Transfer {
 public:
  /// `limits` is borrowed.
  explicit Transfer(const TransferLimits& limits);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer();

  /// Prepares the exchange for `draw`, whose target reads as `url`.
  void begin(
      Frontier::Draw draw,
      const Url& url,
      std::chrono::steady_clock::time_point now);

  /// The handle to give to a multi handle; its CURLOPT_PRIVATE is `this`.
  [[nodiscard]] CURL* handle() const { return easy_.get(); }

  /// Reads what came of the exchange that ended with `code`.
  [[nodiscard]] FetchResult finish(CURLcode code);

  [[nodiscard]] Frontier::Draw& draw() { return draw_; }

  [[nodiscard]] std::chrono::steady_clock::time_point started() const {
    return started_;
  }

  /// Bytes of body received, those thrown away too.
  [[nodiscard]] std::uint64_t received() const { return received_; }

  /// Bytes of body held.
  [[nodiscard]] std::uint64_t held() const { return body_.size(); }

 private:
  struct EasyCleanup {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };

  struct SlistCleanup {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  /// Why a callback broke the transfer off.
  enum class Cut { kNone, kTooLarge, kNotImage, kNoUse };

  static curl_socket_t
  on_open_socket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static std::size_t
  on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t
  on_body(char* data, std::size_t size, std::size_t count, void* self);

  void set_options();
  void set_limits();
  [[nodiscard]] bool take_body(Bytes piece);
  [[nodiscard]] bool is_image() const;
  void classify(CURLcode code, FetchResult& result);
  void classify_transport(CURLcode code, FetchResult& result) const;

  const TransferLimits& limits_;
  std::unique_ptr<CURL, EasyCleanup> easy_;
  std::unique_ptr<curl_slist, SlistCleanup> headers_;
  Frontier::Draw draw_;
  std::chrono::steady_clock::time_point started_;
  ByteVector body_;
  std::uint64_t received_ = 0;
  std::uint64_t header_bytes_ = 0;
  Cut cut_ = Cut::kNone;
  std::string refused_;   ///< what kind of address was refused last
  bool dialled_ = false;  ///< an address passed the policy
};

}  // namespace swavd::ingest
