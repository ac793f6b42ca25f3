#include "ingest/crawl/transfer.h"

#include <algorithm>

#include <fmt/format.h>
#include <sys/socket.h>

#include "ingest/crawl/image_signature.h"
#include "ops/base/check.h"

namespace swavd::ingest {

namespace {

// Of an answer that is not an image this much is read, so that the connection
// can serve the next request; more is not worth its bandwidth.
constexpr std::uint64_t kUselessBodyBytes = 64U << 10U;
constexpr std::uint64_t kMaxHeaderBytes = 256U << 10U;

long status_of(CURL* easy) {
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

std::string text_info(CURL* easy, CURLINFO info) {
  char* text = nullptr;
  curl_easy_getinfo(easy, info, &text);
  return text == nullptr ? std::string() : std::string(text);
}

long milliseconds_of(std::chrono::milliseconds time) {
  return static_cast<long>(time.count());
}

}  // namespace

Transfer::Transfer(const TransferLimits& limits)
    : limits_(limits),
      easy_(curl_easy_init()),
      headers_(curl_slist_append(nullptr, "Accept: image/*,*/*;q=0.8")) {
  SWAVD_CHECK(easy_ != nullptr && headers_ != nullptr);
  set_options();
  set_limits();
}

Transfer::~Transfer() = default;

void Transfer::set_options() {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, limits_.options.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  // One connection to a host at a time, and no frames to be flooded with.
  curl_easy_setopt(
      easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  // Hops are requests of their own, under all checks and delays.
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  // A proxy would hide the address that is really connected to. Empty text
  // also keeps curl from reading http_proxy and its kin.
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // Without this, giving up on a slow name server waits for its thread and so
  // stalls every other transfer.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
}

void Transfer::set_limits() {
  const CrawlOptions& options = limits_.options;
  CURL* easy = easy_.get();
  // Declared lengths only; on_body counts what really comes.
  curl_easy_setopt(
      easy,
      CURLOPT_MAXFILESIZE_LARGE,
      static_cast<curl_off_t>(options.max_body_bytes));
  curl_easy_setopt(
      easy,
      CURLOPT_CONNECTTIMEOUT_MS,
      milliseconds_of(options.connect_timeout));
  curl_easy_setopt(
      easy, CURLOPT_TIMEOUT_MS, milliseconds_of(options.total_timeout));
  curl_easy_setopt(
      easy,
      CURLOPT_LOW_SPEED_LIMIT,
      static_cast<long>(options.low_speed_bytes_per_second));
  curl_easy_setopt(
      easy,
      CURLOPT_LOW_SPEED_TIME,
      static_cast<long>(options.low_speed_time.count()));
}

void Transfer::begin(
    Frontier::Draw draw,
    const Url& url,
    std::chrono::steady_clock::time_point now) {
  draw_ = std::move(draw);
  started_ = now;
  body_ = {};
  received_ = 0;
  header_bytes_ = 0;
  cut_ = Cut::kNone;
  refused_.clear();
  dialled_ = false;
  curl_easy_setopt(easy_.get(), CURLOPT_URL, url.text.c_str());
}

curl_socket_t Transfer::on_open_socket(
    void* self,
    curlsocktype purpose,
    curl_sockaddr* address) {
  auto& transfer = *static_cast<Transfer*>(self);
  const auto ip = ip_of(address->addr);
  std::string_view refusal = "not_ip";
  if (purpose == CURLSOCKTYPE_IPCXN && ip) {
    refusal = transfer.limits_.addresses.refusal(*ip);
  }
  const auto& ports = transfer.limits_.options.allowed_ports;
  if (refusal.empty() &&
      std::find(ports.begin(), ports.end(), port_of(address->addr)) ==
          ports.end()) {
    refusal = "port";
  }
  if (!refusal.empty()) {
    transfer.refused_ = refusal;
    return CURL_SOCKET_BAD;
  }
  transfer.dialled_ = true;
  return socket(
      address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t Transfer::on_header(
    char* /*data*/,
    std::size_t size,
    std::size_t count,
    void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t bytes = size * count;
  transfer.header_bytes_ += bytes;
  if (transfer.header_bytes_ > kMaxHeaderBytes) {
    transfer.cut_ = Cut::kTooLarge;
    return 0;
  }
  return bytes;
}

std::size_t
Transfer::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  const std::size_t bytes = size * count;
  auto& transfer = *static_cast<Transfer*>(self);
  const Bytes piece(reinterpret_cast<const std::uint8_t*>(data), bytes);
  // Any other number than `bytes` breaks the transfer off.
  return transfer.take_body(piece) ? bytes : bytes + 1;
}

bool Transfer::take_body(Bytes piece) {
  received_ += piece.size();
  if (status_of(easy_.get()) != 200) {
    if (received_ > kUselessBodyBytes) {
      cut_ = Cut::kNoUse;
    }
    return cut_ == Cut::kNone;
  }
  if (received_ > limits_.options.max_body_bytes) {
    cut_ = Cut::kTooLarge;
    return false;
  }
  if (body_.empty()) {
    curl_off_t declared = -1;
    curl_easy_getinfo(
        easy_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &declared);
    // Believed for the first megabyte only: memory is taken as it comes.
    constexpr curl_off_t kReserve = 1 << 20;
    body_.reserve(static_cast<std::size_t>(
        std::clamp<curl_off_t>(declared, 0, kReserve)));
  }
  body_.insert(body_.end(), piece.begin(), piece.end());
  if (body_.size() >= kSignatureBytes && !is_image()) {
    cut_ = Cut::kNotImage;
    return false;
  }
  return true;
}

bool Transfer::is_image() const {
  return looks_like_image(body_) ||
         names_image(text_info(easy_.get(), CURLINFO_CONTENT_TYPE));
}

FetchResult Transfer::finish(CURLcode code) {
  FetchResult result;
  result.status = status_of(easy_.get());
  result.content_type = text_info(easy_.get(), CURLINFO_CONTENT_TYPE);
  curl_off_t seconds = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &seconds);
  if (seconds > 0) {
    result.retry_after =
        std::chrono::seconds(std::min<curl_off_t>(seconds, 10LL * 365 * 86400));
  }
  classify(code, result);
  body_ = {};
  return result;
}

void Transfer::classify(CURLcode code, FetchResult& result) {
  if (cut_ == Cut::kTooLarge) {
    result.outcome = CrawlOutcome::kTooLarge;
    result.detail = "more than the limit came";
    return;
  }
  if (result.status >= 300 && result.status < 400) {
    result.redirect_to = text_info(easy_.get(), CURLINFO_REDIRECT_URL);
  }
  // A status tells more than how the useless rest of its answer ended.
  if (result.status != 0 && result.status != 200) {
    result.outcome = CrawlOutcome::kHttpError;
    result.detail = fmt::format("status {}", result.status);
    return;
  }
  if (cut_ == Cut::kNotImage ||
      (code == CURLE_OK && (body_.empty() || !is_image()))) {
    result.outcome = CrawlOutcome::kNotImage;
    result.detail = fmt::format(
        "content-type '{}', {} bytes read", result.content_type, received_);
    return;
  }
  if (code == CURLE_OK) {
    result.outcome = CrawlOutcome::kOk;
    result.body = std::move(body_);
    return;
  }
  classify_transport(code, result);
}

void Transfer::classify_transport(CURLcode code, FetchResult& result) const {
  result.detail = curl_easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      result.outcome = CrawlOutcome::kTimeout;
      return;
    case CURLE_COULDNT_RESOLVE_HOST:
      result.outcome = CrawlOutcome::kDns;
      return;
    case CURLE_FILESIZE_EXCEEDED:
      result.outcome = CrawlOutcome::kTooLarge;
      return;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      result.outcome = CrawlOutcome::kTls;
      return;
    default:
      break;
  }
  if (!refused_.empty() && !dialled_) {
    result.outcome = CrawlOutcome::kBlocked;
    result.block =
        refused_ == "port" ? CrawlBlock::kPort : CrawlBlock::kSsrfAddress;
    result.detail = "address is " + refused_;
    return;
  }
  result.outcome = CrawlOutcome::kConnect;
}

}  // namespace swavd::ingest
