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
class MemoryObjectStore final : public ObjectStore {
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
             : there != objects_.end() && tag(there->second) == condition.etag);
    if (!holds) {
      return Error{ErrorCode::kFenced, key + ": the condition does not hold"};
    }
    objects_[key] = body;
    return tag(body);
  }

  Result<ObjectInfo> get(
      const std::string& key,
      const std::function<Status(Bytes)>& sink) override {
    const auto body = body_of(key);
    if (!body.ok()) {
      return body.error();
    }
    SWAVD_RETURN_IF_ERROR(sink(as_bytes(body.value())));
    return ObjectInfo{key, body.value().size(), tag(body.value())};
  }

  Result<std::optional<ObjectInfo>> get_if_changed(
      const std::string& key,
      const std::string& etag,
      const std::function<Status(Bytes)>& sink) override {
    const auto body = body_of(key);
    if (!body.ok()) {
      return body.error();
    }
    if (tag(body.value()) == etag) {
      return std::optional<ObjectInfo>();
    }
    SWAVD_RETURN_IF_ERROR(sink(as_bytes(body.value())));
    return std::optional(
        ObjectInfo{key, body.value().size(), tag(body.value())});
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
    if (!etag.empty() && tag(body.value()) != etag) {
      return Error{ErrorCode::kFenced, key + " has been changed"};
    }
    if (offset > body.value().size()) {
      return Error{ErrorCode::kInvalidArgument, key + " is shorter"};
    }
    SWAVD_RETURN_IF_ERROR(
        sink(as_bytes(std::string_view(body.value()).substr(offset, bytes))));
    return ObjectInfo{key, body.value().size(), tag(body.value())};
  }

  Result<std::vector<ObjectInfo>> list(const std::string& prefix) override {
    const MutexLock lock(mutex_);
    std::vector<ObjectInfo> found;
    for (const auto& [key, body] : objects_) {
      if (key.starts_with(prefix)) {
        found.push_back({key, body.size(), tag(body)});
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
  Result<std::string> body_of(const std::string& key) {
    const MutexLock lock(mutex_);
    const auto there = objects_.find(key);
    if (there == objects_.end()) {
      return Error{ErrorCode::kNotFound, "no object " + key};
    }
    return there->second;
  }

  static std::string tag(const std::string& body) {
    return sha256_hex(as_bytes(body));
  }

  Mutex mutex_;
  std::map<std::string, std::string> objects_ SWAVD_GUARDED_BY(mutex_);
};

}  // namespace swavd::state
