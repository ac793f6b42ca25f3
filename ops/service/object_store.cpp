#include "ops/service/object_store.h"

#include <utility>

namespace swavd::service {

namespace {

state::S3Addressing addressing_of(const std::string& word) {
  if (word == "path") {
    return state::S3Addressing::kPath;
  }
  return word == "virtual" ? state::S3Addressing::kVirtual
                           : state::S3Addressing::kAuto;
}

}  // namespace

Result<std::unique_ptr<state::ObjectStore>> open_object_store(
    const ObjectStoreConfig& config,
    std::function<void(std::string_view reason)> on_retry,
    std::function<bool()> give_up) {
  state::S3Options s3;
  s3.endpoint = config.endpoint;
  s3.region = config.region;
  s3.addressing = addressing_of(config.addressing);
  s3.credentials_file = config.credentials_file;
  s3.profile = config.profile;
  s3.ca_file = config.ca_file;
  s3.upload_bytes_per_second = config.upload_bytes_per_second;
  s3.on_retry = std::move(on_retry);
  s3.give_up = std::move(give_up);
  return state::open_object_store(config.url, s3);
}

}  // namespace swavd::service
