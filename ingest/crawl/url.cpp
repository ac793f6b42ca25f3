#include "ingest/crawl/url.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <memory>
#include <optional>

#include <curl/curl.h>

namespace swavd::ingest {

namespace {

struct UrlCleanup {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

using UrlHandle = std::unique_ptr<CURLU, UrlCleanup>;

std::optional<std::string>
url_part(CURLU* url, CURLUPart part, unsigned flags) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) {
    return std::nullopt;
  }
  std::string copy(text);
  curl_free(text);
  return copy;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20U && c != 0x7f;
  });
}

bool is_http(std::string_view scheme) {
  return scheme == "http" || scheme == "https";
}

}  // namespace

std::variant<Url, CrawlBlock> parse_url(
    std::string_view url,
    const std::vector<std::uint16_t>& allowed_ports) {
  if (url.size() > kMaxUrlBytes || !is_plain(url)) {
    return CrawlBlock::kMalformed;
  }
  const UrlHandle handle(curl_url());
  const CURLUcode code = curl_url_set(
      handle.get(),
      CURLUPART_URL,
      std::string(url).c_str(),
      CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME);
  if (code != CURLUE_OK) {
    return CrawlBlock::kMalformed;
  }
  const auto scheme = url_part(handle.get(), CURLUPART_SCHEME, 0);
  if (!scheme || !is_http(*scheme)) {
    return CrawlBlock::kScheme;
  }
  // The fragment is the browser's: two URLs that differ in it are one.
  curl_url_set(handle.get(), CURLUPART_FRAGMENT, nullptr, 0);
  auto text = url_part(handle.get(), CURLUPART_URL, 0);
  auto host = url_part(handle.get(), CURLUPART_HOST, 0);
  const auto port = url_part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (!text || !host || host->empty() || !port) {
    return CrawlBlock::kMalformed;
  }
  Url parsed;
  std::from_chars(port->data(), port->data() + port->size(), parsed.port);
  if (std::find(allowed_ports.begin(), allowed_ports.end(), parsed.port) ==
      allowed_ports.end()) {
    return CrawlBlock::kPort;
  }
  std::transform(host->begin(), host->end(), host->begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  if (host->back() == '.') {
    host->pop_back();  // "example.org." is the same host
  }
  parsed.text = std::move(*text);
  parsed.host = std::move(*host);
  return parsed;
}

}  // namespace swavd::ingest
