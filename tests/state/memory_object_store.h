#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/base/mutex.h"
#include "ops/base/sha256.h"
#include "state/object_store.h"

namespace swavd::state {

/// An object store in memory, with the same conditions as the real ones.
class MemoryObjectStore : public ObjectStore {
 public:
  Result<std::string> put(
      const std::string& key,
      std::uint64_t bytes,
      const std::function<Result<Bytes>()>& source,
      const PutCondition& condition) override {
    std::string body;
    while (true) {
      const auto piece = source();
      if (!piece.ok()) {
        return piece.error();
      }
      if (piece.value().empty()) {
        break;
      }
      body += as_text(piece.value());
    }
    if (body.size() != bytes) {
      return Error{ErrorCode::kIo, key + ": another length than announced"};
    }
    const MutexLock lock(mutex_);
    const auto there = objects_.find(key);
    const bool holds =
        condition.kind == PutCondition::Kind::kNone ||
        (condition.kind == PutCondition::Kind::kAbsent
             ? there == objects_.end()
             : there != objects_.end() && there->second.tag == condition.etag);
    if (!holds) {
      return Error{ErrorCode::kFenced, key + ": the condition does not hold"};
    }
    std::string tag = sha256_hex(as_bytes(body));
    objects_[key] = {std::move(body), tag};
    return tag;
  }

  Result<ObjectInfo> get(
      const std::string& key,
      const std::function<Status(Bytes)>& sink) override {
    const auto body = body_of(key);
    if (!body.ok()) {
      return body.error();
    }
    SWAVD_RETURN_IF_ERROR(sink(as_bytes(body.value().body)));
    return ObjectInfo{key, body.value().body.size(), body.value().tag};
  }

  Result<std::optional<ObjectInfo>> get_if_changed(
      const std::string& key,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) override {
    const auto body = body_of(key);
    if (!body.ok()) {
      return body.error();
    }
    if (body.value().tag == etag) {
      return std::optional<ObjectInfo>();
    }
    SWAVD_RETURN_IF_ERROR(sink(as_bytes(body.value().body)));
    return std::optional(
        ObjectInfo{key, body.value().body.size(), body.value().tag});
  }

  Result<ObjectInfo> get_range(
      const std::string& key,
      std::uint64_t offset,
      std::uint64_t bytes,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) override {
    const auto body = body_of(key);
    if (!body.ok()) {
      return body.error();
    }
    if (!etag.empty() && body.value().tag != etag) {
      return Error{ErrorCode::kFenced, key + " has been changed"};
    }
    if (offset > body.value().body.size()) {
      return Error{ErrorCode::kInvalidArgument, key + " is shorter"};
    }
    SWAVD_RETURN_IF_ERROR(sink(
        as_bytes(std::string_view(body.value().body).substr(offset, bytes))));
    return ObjectInfo{key, body.value().body.size(), body.value().tag};
  }

  Result<std::vector<ObjectInfo>> list(const std::string& prefix) override {
    const MutexLock lock(mutex_);
    std::vector<ObjectInfo> found;
    for (const auto& [key, object] : objects_) {
      if (key.starts_with(prefix)) {
        found.push_back({key, object.body.size(), object.tag});
      }
    }
    return found;
  }

  Status remove(const std::string& key) override {
    const MutexLock lock(mutex_);
    objects_.erase(key);
    return ok_status();
  }

 private:
  struct Object {
    std::string body;
    std::string tag;  ///< its digest
  };

  Result<Object> body_of(const std::string& key) {
    const MutexLock lock(mutex_);
    const auto there = objects_.find(key);
    if (there == objects_.end()) {
      return Error{ErrorCode::kNotFound, "no object " + key};
    }
    return there->second;
  }

  Mutex mutex_;
  std::map<std::string, Object> objects_ SWAVD_GUARDED_BY(mutex_);
};

}  // namespace swavd::state
