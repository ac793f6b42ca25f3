#include "state/s3/download.h"

#include <charconv>
#include <string_view>

#include <fmt/format.h>

namespace swavd::state {

namespace {

constexpr int kPartialContent = 206;
constexpr int kNotModified = 304;
constexpr int kPreconditionFailed = 412;
constexpr int kRangeNotSatisfiable = 416;

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  return text.empty() || parsed.ptr != end ? std::nullopt
                                           : std::optional(number);
}

/// The size of the whole object, by "bytes 0-9/TOTAL" or by the length of the
/// whole answer.
std::uint64_t object_size(const HttpAnswer& answer) {
  const std::string range = answer.header("content-range");
  const std::string text = answer.status == kPartialContent
                               ? range.substr(range.find('/') + 1)
                               : answer.header("content-length");
  return number_in(text).value_or(0);
}

/// One download over as many connections as it takes.
class S3Transfer {
 public:
  S3Transfer(
      S3Client& client,
      const DownloadRequest& request,
      const std::function<Status(Bytes)>& sink)
      : client_(client),
        request_(request),
        sink_(sink) {}

  Result<std::optional<ObjectInfo>> run() {
    Retry pauses = client_.retry();
    while (true) {
      const std::uint64_t before = received_;
      const S3Request asked = next_request();
      const auto answer = client_.attempt(asked);
      if (!answer.ok()) {
        return answer.error();
      }
      if (!sunk_.ok()) {
        return sunk_.error();
      }
      const bool broken = !S3Client::reason_to_retry(answer.value()).empty();
      if (!broken) {
        return outcome(asked, answer.value());
      }
      if (received_ > before) {
        pauses.progressed();
      }
      if (!client_.again(pauses, answer.value())) {
        return client_.refusal(asked, answer.value());
      }
    }
  }

 private:
  S3Request next_request() {
    S3Request asked;
    asked.method = "GET";
    asked.key = request_.key;
    const std::uint64_t first = request_.offset + received_;
    ranged_ = first > 0 || request_.bytes.has_value();
    if (ranged_) {
      asked.headers.emplace_back(
          "Range",
          request_.bytes
              ? fmt::format(
                    "bytes={}-{}", first, request_.offset + *request_.bytes - 1)
              : fmt::format("bytes={}-", first));
    }
    const std::string& version =
        info_.etag.empty() ? request_.if_match : info_.etag;
    if (!version.empty()) {
      asked.headers.emplace_back("If-Match", with_quotes(version));
    } else if (!request_.if_none_match.empty()) {
      asked.headers.emplace_back(
          "If-None-Match", with_quotes(request_.if_none_match));
    }
    asked.sink = [this](const HttpAnswer& head, Bytes piece) {
      return take(head, piece);
    };
    return asked;
  }

  bool take(const HttpAnswer& head, Bytes piece) {
    if (ranged_ && head.status != kPartialContent) {
      sunk_ = Error{
          ErrorCode::kUnavailable,
          fmt::format(
              "GET {}: the server ignores Range",
              client_.location().name_of(request_.key))};
      return false;
    }
    if (info_.etag.empty()) {
      describe(head);
    }
    received_ += piece.size();
    sunk_ = sink_(piece);
    return sunk_.ok();
  }

  void describe(const HttpAnswer& head) {
    info_.bytes = object_size(head);
    info_.etag = without_quotes(head.header("etag"));
  }

  Result<std::optional<ObjectInfo>> outcome(
      const S3Request& asked,
      const S3Answer& answer) {
    if (answer.ok()) {
      if (info_.etag.empty()) {
        describe(answer.http);  // an empty object has no first piece
      }
      return std::optional(info_);
    }
    const int status = answer.http.status;
    if (status == kNotModified) {
      return std::optional<ObjectInfo>();
    }
    Error error = client_.refusal(asked, answer);
    if (status == kPreconditionFailed) {
      // Half of one version is of no use, nor is the other half of another.
      error.code =
          received_ == 0 ? ErrorCode::kFenced : ErrorCode::kUnavailable;
      error.message += "; the object has been changed by another";
    } else if (status == kRangeNotSatisfiable) {
      error.code = ErrorCode::kInvalidArgument;
    }
    return error;
  }

  S3Client& client_;
  const DownloadRequest& request_;
  const std::function<Status(Bytes)>& sink_;
  ObjectInfo info_;
  std::uint64_t received_ = 0;
  bool ranged_ = false;
  Status sunk_ = ok_status();
};

}  // namespace

Result<std::optional<ObjectInfo>> download(
    S3Client& client,
    const DownloadRequest& request,
    const std::function<Status(Bytes)>& sink) {
  return S3Transfer(client, request, sink).run();
}

std::string without_quotes(std::string etag) {
  std::erase(etag, '"');
  return etag;
}

std::string with_quotes(const std::string& etag) {
  return fmt::format("\"{}\"", etag);
}

}  // namespace swavd::state
