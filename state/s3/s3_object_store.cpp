#include "state/s3/s3_object_store.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "state/s3/credential_sources.h"
#include "state/s3/download.h"
#include "state/s3/part_reader.h"
#include "state/s3/percent.h"
#include "state/s3/upload.h"

namespace swavd::state {

namespace {

/// Not empty, no empty component, no "." and "..": some servers, and proxies
/// before them, take these for folders.
Status check_s3_key(const std::string& full, const std::string& key) {
  constexpr std::size_t kLongest = 1024;
  bool plain = !key.empty() && full.size() <= kLongest;
  std::string_view rest = key;
  while (plain && !rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    plain = !part.empty() && part != "." && part != ".." &&
            slash + 1 != rest.size();
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
  if (!plain) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("\"{}\" is no key of an object store", key)};
  }
  return ok_status();
}

std::uint64_t size_in(std::string_view text) {
  std::uint64_t size = 0;
  std::from_chars(text.data(), text.data() + text.size(), size);
  return size;
}

/// Part sizes grow with the object: S3 takes 10,000 parts at most.
std::uint64_t part_size(std::uint64_t bytes, const S3Options& options) {
  constexpr std::uint64_t kMostParts = 10'000;
  return std::max(options.part_bytes, (bytes + kMostParts - 1) / kMostParts);
}

}  // namespace

Result<std::unique_ptr<ObjectStore>> S3ObjectStore::open(
    const std::string& url,
    const S3Options& options,
    const Surroundings& surroundings) {
  auto location = locate(url, options, surroundings);
  if (!location.ok()) {
    return location.error();
  }
  auto credentials =
      credential_chain(options, location.value().region, surroundings);
  return std::unique_ptr<ObjectStore>(
      std::make_unique<S3ObjectStore>(std::make_unique<S3Client>(
          std::move(location).value(),
          options,
          surroundings,
          std::move(credentials))));
}

S3ObjectStore::S3ObjectStore(std::unique_ptr<S3Client> client)
    : client_(std::move(client)) {}

std::string S3ObjectStore::full_key(const std::string& key) const {
  return client_->location().prefix + key;
}

Result<std::string> S3ObjectStore::put(
    const std::string& key,
    std::uint64_t bytes,
    const std::function<Result<Bytes>()>& source,
    const PutCondition& condition) {
  const std::string full = full_key(key);
  SWAVD_RETURN_IF_ERROR(check_s3_key(full, key));
  PartReader reader(source, client_->location().name_of(full), bytes);
  Upload upload(*client_, full, condition);
  if (bytes > client_->options().multipart_bytes) {
    return upload.put_parts(reader, part_size(bytes, client_->options()));
  }
  const auto body = reader.next(bytes);
  if (!body.ok()) {
    return body.error();
  }
  return upload.put_whole(body.value());
}

Result<ObjectInfo> S3ObjectStore::get(
    const std::string& key,
    const std::function<Status(Bytes)>& sink) {
  auto got = get_if_changed(key, {}, sink);
  if (!got.ok()) {
    return got.error();
  }
  SWAVD_CHECK(got.value().has_value());  // no etag was excluded
  return *std::move(got).value();
}

Result<std::optional<ObjectInfo>> S3ObjectStore::get_if_changed(
    const std::string& key,
    const std::string& etag,
    const std::function<Status(Bytes)>& sink) {
  DownloadRequest request;
  request.key = full_key(key);
  request.if_none_match = etag;
  SWAVD_RETURN_IF_ERROR(check_s3_key(request.key, key));
  auto got = download(*client_, request, sink);
  if (got.ok() && got.value()) {
    got.value()->key = key;
  }
  return got;
}

Result<ObjectInfo> S3ObjectStore::get_range(
    const std::string& key,
    std::uint64_t offset,
    std::uint64_t bytes,
    const std::string& etag,
    const std::function<Status(Bytes)>& sink) {
  DownloadRequest request;
  request.key = full_key(key);
  request.offset = offset;
  request.bytes = bytes;
  request.if_match = etag;
  SWAVD_RETURN_IF_ERROR(check_s3_key(request.key, key));
  if (bytes == 0) {
    return empty_range(key, offset, etag);
  }
  auto got = download(*client_, request, sink);
  if (!got.ok()) {
    // S3 refuses a range that begins where the object ends.
    return got.error().code == ErrorCode::kInvalidArgument
               ? empty_range(key, offset, etag)
               : Result<ObjectInfo>(got.error());
  }
  SWAVD_CHECK(got.value().has_value());  // no etag was excluded
  ObjectInfo info = *std::move(got).value();
  info.key = key;
  return info;
}

Result<ObjectInfo> S3ObjectStore::empty_range(
    const std::string& key,
    std::uint64_t offset,
    const std::string& etag) {
  S3Request request;
  request.method = "HEAD";
  request.key = full_key(key);
  const auto answer = client_->call(request);
  if (!answer.ok()) {
    return answer.error();
  }
  if (!answer.value().ok()) {
    return client_->refusal(request, answer.value());
  }
  const HttpAnswer& http = answer.value().http;
  const ObjectInfo info{
      key,
      size_in(http.header("content-length")),
      without_quotes(http.header("etag"))};
  if (!etag.empty() && info.etag != etag) {
    return Error{ErrorCode::kFenced, key + " has been changed by another"};
  }
  if (offset > info.bytes) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("{} has {} bytes, none at {}", key, info.bytes, offset)};
  }
  return info;
}

Result<std::vector<ObjectInfo>> S3ObjectStore::list(const std::string& prefix) {
  const std::string& base = client_->location().prefix;
  std::vector<ObjectInfo> found;
  S3Request request;
  request.method = "GET";
  std::string token;
  while (true) {
    request.query = {
        {"list-type", "2"},
        {"prefix", base + prefix},
        {"encoding-type", "url"}};
    if (!token.empty()) {
      request.query.emplace_back("continuation-token", token);
    }
    const auto answer = client_->call(request);
    if (!answer.ok()) {
      return answer.error();
    }
    const XmlElement& page = answer.value().root;
    if (!answer.value().ok() || page.name != "ListBucketResult") {
      return client_->refusal(request, answer.value());
    }
    for (const XmlElement& item : page.children) {
      const std::string key = percent_decode(item.text_of("Key"));
      if (item.name == "Contents" && key.starts_with(base)) {
        found.push_back(
            {key.substr(base.size()),
             size_in(item.text_of("Size")),
             without_quotes(std::string(item.text_of("ETag")))});
      }
    }
    std::string next(page.text_of("NextContinuationToken"));
    if (page.text_of("IsTruncated") != "true" || next.empty() ||
        next == token) {
      break;
    }
    token = std::move(next);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.key < b.key;
  });
  return found;
}

Status S3ObjectStore::remove(const std::string& key) {
  S3Request request;
  request.method = "DELETE";
  request.key = full_key(key);
  SWAVD_RETURN_IF_ERROR(check_s3_key(request.key, key));
  const auto answer = client_->call(request);
  if (!answer.ok()) {
    return answer.error();
  }
  if (answer.value().ok()) {
    return ok_status();
  }
  const Error error = client_->refusal(request, answer.value());
  return error.code == ErrorCode::kNotFound ? ok_status() : Status(error);
}

Status S3ObjectStore::discard_unfinished(const std::string& prefix) {
  return abort_uploads(*client_, full_key(prefix));
}

}  // namespace swavd::state
