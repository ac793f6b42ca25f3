#pragma once

#include <map>
#include <string>
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
    std::string body;
    {
      const MutexLock lock(mutex_);
      const auto there = objects_.find(key);
      if (there == objects_.end()) {
        return Error{ErrorCode::kNotFound, "no object " + key};
      }
      body = there->second;
    }
    SWAVD_RETURN_IF_ERROR(sink(as_bytes(body)));
    return ObjectInfo{key, body.size(), tag(body)};
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
  static std::string tag(const std::string& body) {
    return sha256_hex(as_bytes(body));
  }

  Mutex mutex_;
  std::map<std::string, std::string> objects_ SWAVD_GUARDED_BY(mutex_);
};

}  // namespace swavd::state
