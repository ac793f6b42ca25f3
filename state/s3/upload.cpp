#include "state/s3/upload.h"

#include <utility>

#include <fmt/format.h>

#include "ops/base/log.h"
#include "state/s3/download.h"
#include "state/s3/xml.h"

namespace swavd::state {

namespace {

constexpr const char* kStampHeader = "x-amz-meta-swavd-put";
constexpr int kNotFoundStatus = 404;

/// The object is not as the condition wants it. Some servers say so with 304.
bool is_refused_condition(const S3Answer& answer, const PutCondition& wanted) {
  constexpr int kNotModified = 304;
  constexpr int kPreconditionFailed = 412;
  const int status = answer.http.status;
  const bool absent_but_must_match =
      wanted.kind == PutCondition::Kind::kMatches &&
      status == kNotFoundStatus && answer.code != "NoSuchBucket" &&
      answer.code != "NoSuchUpload";
  return status == kPreconditionFailed || status == kNotModified ||
         absent_but_must_match;
}

S3Request abort_request(const std::string& key, const std::string& upload_id) {
  S3Request request;
  request.method = "DELETE";
  request.key = key;
  request.query = {{"uploadId", upload_id}};
  return request;
}

/// 404: it is gone already.
Status abort_upload(
    S3Client& client,
    const std::string& key,
    const std::string& upload_id) {
  const S3Request request = abort_request(key, upload_id);
  const auto answer = client.call(request);
  if (!answer.ok()) {
    return answer.error();
  }
  return answer.value().ok() || answer.value().http.status == kNotFoundStatus
             ? ok_status()
             : Status(client.refusal(request, answer.value()));
}

std::string parts_document(const std::vector<std::string>& etags) {
  std::string text = "<CompleteMultipartUpload>";
  for (std::size_t i = 0; i < etags.size(); ++i) {
    text += fmt::format(
        "<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>",
        i + 1,
        xml_escape(with_quotes(etags[i])));
  }
  return text + "</CompleteMultipartUpload>";
}

}  // namespace

Upload::Upload(S3Client& client, std::string key, const PutCondition& condition)
    : client_(client),
      key_(std::move(key)),
      condition_(condition),
      stamp_(client.surroundings().unique_name()) {}

Upload::~Upload() {
  if (upload_id_.empty()) {
    return;
  }
  const auto aborted = abort_upload(client_, key_, upload_id_);
  if (!aborted.ok()) {
    log(LogLevel::kWarning,
        "upload_abandoned",
        "parts stay in the object store until they are cleared: " +
            aborted.error().message);
  }
}

NameValues Upload::condition_headers() const {
  switch (condition_.kind) {
    case PutCondition::Kind::kAbsent:
      return {{"If-None-Match", "*"}};
    case PutCondition::Kind::kMatches:
      return {{"If-Match", with_quotes(condition_.etag)}};
    case PutCondition::Kind::kNone:
      break;
  }
  return {};
}

Result<std::string> Upload::put_whole(Bytes body) {
  S3Request request;
  request.method = "PUT";
  request.key = key_;
  request.headers = condition_headers();
  request.headers.emplace_back(kStampHeader, stamp_);
  request.body = body;
  const auto answer = client_.call(request);
  if (!answer.ok()) {
    return answer.error();
  }
  return settle(
      request,
      answer.value(),
      without_quotes(answer.value().http.header("etag")));
}

Result<std::string> Upload::put_parts(
    PartReader& reader,
    std::uint64_t part_bytes) {
  SWAVD_RETURN_IF_ERROR(begin_parts());
  for (std::size_t number = 1; !reader.done(); ++number) {
    const auto part = reader.next(part_bytes);
    if (!part.ok()) {
      return part.error();
    }
    SWAVD_RETURN_IF_ERROR(put_part(number, part.value()));
  }
  return complete();
}

Status Upload::begin_parts() {
  S3Request request;
  request.method = "POST";
  request.key = key_;
  request.query = {{"uploads", ""}};
  request.headers = {{kStampHeader, stamp_}};
  const auto answer = client_.call(request);
  if (!answer.ok()) {
    return answer.error();
  }
  upload_id_ = answer.value().root.text_of("UploadId");
  if (!answer.value().ok() || upload_id_.empty()) {
    return client_.refusal(request, answer.value());
  }
  return ok_status();
}

Status Upload::put_part(std::size_t number, Bytes body) {
  S3Request request;
  request.method = "PUT";
  request.key = key_;
  request.query = {
      {"partNumber", std::to_string(number)}, {"uploadId", upload_id_}};
  request.body = body;
  const auto answer = client_.call(request);
  if (!answer.ok()) {
    return answer.error();
  }
  if (!answer.value().ok()) {
    return client_.refusal(request, answer.value());
  }
  part_etags_.push_back(without_quotes(answer.value().http.header("etag")));
  return ok_status();
}

Result<std::string> Upload::complete() {
  const std::string document = parts_document(part_etags_);
  S3Request request;
  request.method = "POST";
  request.key = key_;
  request.query = {{"uploadId", upload_id_}};
  request.headers = condition_headers();
  request.body = as_bytes(document);
  const auto answer = client_.call(request);
  if (!answer.ok()) {
    return answer.error();
  }
  auto settled = settle(
      request,
      answer.value(),
      without_quotes(std::string(answer.value().root.text_of("ETag"))));
  if (settled.ok()) {
    upload_id_.clear();
  }
  return settled;
}

Result<std::string> Upload::settle(
    const S3Request& request,
    const S3Answer& answer,
    std::string etag) {
  if (answer.ok()) {
    return etag;
  }
  Error error = client_.refusal(request, answer);
  const bool refused = is_refused_condition(answer, condition_);
  if (!refused && answer.http.status != kNotFoundStatus) {
    return error;
  }
  // The refusal may be about this put itself: an earlier attempt took effect
  // and its answer got lost. (libcurl, too, sends a request again when a kept
  // connection turns out to be dead.)
  if (auto own = own_etag()) {
    return *std::move(own);
  }
  // An upload in parts that is not there any more is no absent object.
  error.code = refused ? ErrorCode::kFenced : ErrorCode::kUnavailable;
  return error;
}

std::optional<std::string> Upload::own_etag() {
  S3Request request;
  request.method = "HEAD";
  request.key = key_;
  const auto there = client_.call(request);
  if (!there.ok() || !there.value().ok() ||
      there.value().http.header(kStampHeader) != stamp_) {
    return std::nullopt;
  }
  return without_quotes(there.value().http.header("etag"));
}

Status abort_uploads(S3Client& client, const std::string& prefix) {
  S3Request request;
  request.method = "GET";
  std::string key_marker;
  std::string id_marker;
  while (true) {
    request.query = {{"uploads", ""}, {"prefix", prefix}};
    if (!key_marker.empty()) {
      request.query.emplace_back("key-marker", key_marker);
      request.query.emplace_back("upload-id-marker", id_marker);
    }
    const auto answer = client.call(request);
    if (!answer.ok()) {
      return answer.error();
    }
    if (!answer.value().ok()) {
      return client.refusal(request, answer.value());
    }
    const XmlElement& page = answer.value().root;
    for (const XmlElement& item : page.children) {
      const std::string key(item.text_of("Key"));
      if (item.name == "Upload" && key.starts_with(prefix)) {
        SWAVD_RETURN_IF_ERROR(
            abort_upload(client, key, std::string(item.text_of("UploadId"))));
      }
    }
    const std::string next(page.text_of("NextKeyMarker"));
    if (page.text_of("IsTruncated") != "true" || next <= key_marker) {
      return ok_status();
    }
    key_marker = next;
    id_marker = page.text_of("NextUploadIdMarker");
  }
}

}  // namespace swavd::state
