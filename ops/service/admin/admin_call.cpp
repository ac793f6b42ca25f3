#include <memory>
#include <string>

#include <curl/curl.h>
#include <fmt/format.h>

#include "ops/service/http_server.h"

namespace swavd::service {
namespace {

constexpr long kConnectSeconds = 5;

using Curl = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using HeaderList = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

std::size_t append(char* data, std::size_t one, std::size_t size, void* to) {
  static_cast<std::string*>(to)->append(data, one * size);
  return size;
}

std::string url_of(CURL* curl, const std::string& command) {
  char* escaped =
      curl_easy_escape(curl, command.c_str(), static_cast<int>(command.size()));
  const std::string url = fmt::format("http://localhost/{}", escaped);
  curl_free(escaped);
  return url;
}

Error failed_call(const std::string& path, CURLcode code, const char* detail) {
  const std::string words = *detail == '\0' ? curl_easy_strerror(code) : detail;
  if (code == CURLE_COULDNT_CONNECT) {
    return {
        ErrorCode::kUnavailable,
        fmt::format(
            "nobody answers at {} ({}): is the daemon running, and is this "
            "its admin.socket?",
            path,
            words)};
  }
  return {ErrorCode::kIo, fmt::format("call over {}: {}", path, words)};
}

}  // namespace

Result<std::string> admin_call(
    const std::string& socket_path,
    const std::string& command,
    const std::string& argument) {
  const Curl curl(curl_easy_init(), &curl_easy_cleanup);
  if (!curl) {
    return Error{ErrorCode::kIo, "libcurl cannot be initialised"};
  }
  const std::string url = url_of(curl.get(), command);
  // Else the argument would be taken for a form.
  const HeaderList headers(
      curl_slist_append(nullptr, "Content-Type: text/plain"),
      &curl_slist_free_all);
  std::string body;
  char detail[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl.get(), CURLOPT_UNIX_SOCKET_PATH, socket_path.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  // No proxy from the environment: the socket is the way.
  curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, argument.data());
  curl_easy_setopt(
      curl.get(),
      CURLOPT_POSTFIELDSIZE_LARGE,
      static_cast<curl_off_t>(argument.size()));
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, detail);
  if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK) {
    return failed_call(socket_path, code, detail);
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status >= 400) {
    return Error{ErrorCode::kInvalidArgument, body};
  }
  return body;
}

}  // namespace swavd::service
