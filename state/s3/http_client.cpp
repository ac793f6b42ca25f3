#include "state/s3/http_client.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <curl/curl.h>

#include "ops/base/check.h"

namespace swavd::state {

namespace {

constexpr std::size_t kLargestBody = 16U << 20U;

struct CurlCleanup {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

struct HeaderCleanup {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

using HeaderList = std::unique_ptr<curl_slist, HeaderCleanup>;

HeaderList header_list(const NameValues& headers) {
  HeaderList list;
  const auto add = [&list](const std::string& line) {
    curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
    SWAVD_CHECK(longer != nullptr);
    (void)list.release();  // it is the head of `longer` now, or was nothing
    list.reset(longer);
  };
  for (const auto& [name, value] : headers) {
    // "Name:" would remove the header; "Name;" sends it empty.
    add(value.empty() ? name + ";" : name + ": " + value);
  }
  // A server that does not know 100-continue costs a second for every put.
  add("Expect:");
  return list;
}

std::string_view failure_word(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return "timeout";
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "resolve";
    case CURLE_COULDNT_CONNECT:
      return "connect";
    case CURLE_PARTIAL_FILE:
      return "truncated";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
      return "tls";
    default:
      return "connection";
  }
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first =
      std::min(text.find_first_not_of(kSpace), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

HttpAnswer given_up() {
  HttpAnswer answer;
  answer.failure = "given_up";
  answer.detail = "it is not waited for any longer";
  return answer;
}

}  // namespace

std::string HttpAnswer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

/// One curl handle with the connections it keeps.
class HttpClient::Connection {
 public:
  Connection() : easy_(curl_easy_init()) { SWAVD_CHECK(easy_ != nullptr); }

  HttpAnswer perform(const HttpRequest& request, const HttpLimits& limits) {
    answer_ = {};
    request_ = &request;
    detail_[0] = '\0';
    curl_easy_reset(easy_.get());  // options only: connections are kept
    const HeaderList headers = header_list(request.headers);
    set_request(request, headers.get());
    set_limits(limits);
    const CURLcode code = curl_easy_perform(easy_.get());
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    answer_.status = static_cast<int>(status);
    if (code == CURLE_ABORTED_BY_CALLBACK) {
      return given_up();
    }
    if (code != CURLE_OK && answer_.failure.empty()) {
      answer_.failure = failure_word(code);
      answer_.detail = detail_[0] != '\0' ? detail_ : curl_easy_strerror(code);
    }
    return std::move(answer_);
  }

 private:
  static std::size_t
  on_header(char* data, std::size_t size, std::size_t count, void* self) {
    static_cast<Connection*>(self)->take_header({data, size * count});
    return size * count;
  }

  static std::size_t
  on_body(char* data, std::size_t size, std::size_t count, void* self) {
    const std::size_t bytes = size * count;
    const bool wanted =
        static_cast<Connection*>(self)->take_body({data, bytes});
    return wanted ? bytes : CURL_WRITEFUNC_ERROR;
  }

  /// Called about once a second while nothing moves, else more often.
  static int on_progress(
      void* give_up,
      curl_off_t /*to_receive*/,
      curl_off_t /*received*/,
      curl_off_t /*to_send*/,
      curl_off_t /*sent*/) {
    return (*static_cast<const std::function<bool()>*>(give_up))() ? 1 : 0;
  }

  void set_request(const HttpRequest& request, curl_slist* headers) {
    CURL* const easy = easy_.get();
    curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    // The signature is over the path as it is written.
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    if (request.method == "HEAD") {
      curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (request.method == "PUT" || request.method == "POST") {
      curl_easy_setopt(
          easy,
          CURLOPT_POSTFIELDSIZE_LARGE,
          static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(
          easy,
          CURLOPT_POSTFIELDS,
          request.body.empty() ? "" : as_text(request.body).data());
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Connection::on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Connection::on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail_);
  }

  void set_limits(const HttpLimits& limits) {
    CURL* const easy = easy_.get();
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(
        easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(
        easy,
        CURLOPT_CONNECTTIMEOUT_MS,
        static_cast<long>(limits.connect_timeout.count()));
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(
        easy,
        CURLOPT_LOW_SPEED_TIME,
        static_cast<long>(limits.stall_timeout.count()));
    curl_easy_setopt(
        easy,
        CURLOPT_MAX_SEND_SPEED_LARGE,
        static_cast<curl_off_t>(limits.upload_bytes_per_second));
    if (limits.give_up) {
      curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
      curl_easy_setopt(
          easy, CURLOPT_XFERINFOFUNCTION, &Connection::on_progress);
      curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &limits.give_up);
    }
    if (!limits.ca_file.empty()) {
      curl_easy_setopt(easy, CURLOPT_CAINFO, limits.ca_file.c_str());
    }
    if (!limits.proxy) {
      curl_easy_setopt(easy, CURLOPT_PROXY, "");
      curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    }
  }

  void take_header(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      answer_.headers.clear();  // of a 100 Continue before the answer
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return;
    }
    std::string name(trim(line.substr(0, colon)));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
    answer_.headers[name] = trim(line.substr(colon + 1));
  }

  bool take_body(std::string_view piece) {
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    answer_.status = static_cast<int>(status);
    constexpr long kOk = 200;
    constexpr long kRedirected = 300;
    if (request_->sink && status >= kOk && status < kRedirected) {
      if (!request_->sink(answer_, as_bytes(piece))) {
        answer_.failure = "sink";
        return false;
      }
      return true;
    }
    if (answer_.body.size() + piece.size() > kLargestBody) {
      answer_.failure = "too_large";
      answer_.detail = "the answer has more than 16 MiB";
      return false;
    }
    answer_.body += piece;
    return true;
  }

  std::unique_ptr<CURL, CurlCleanup> easy_;
  const HttpRequest* request_ = nullptr;
  HttpAnswer answer_;
  char detail_[CURL_ERROR_SIZE] = "";
};

HttpClient::HttpClient(HttpLimits limits) : limits_(std::move(limits)) {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  SWAVD_CHECK(once == CURLE_OK);
}

HttpClient::~HttpClient() = default;

std::unique_ptr<HttpClient::Connection> HttpClient::take() {
  const MutexLock lock(mutex_);
  if (idle_.empty()) {
    return std::make_unique<Connection>();
  }
  auto connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

HttpAnswer HttpClient::perform(const HttpRequest& request) {
  if (limits_.give_up && limits_.give_up()) {
    return given_up();
  }
  auto connection = take();
  HttpAnswer answer = connection->perform(request, limits_);
  const MutexLock lock(mutex_);
  idle_.push_back(std::move(connection));
  return answer;
}

}  // namespace swavd::state
