#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "ops/base/result.h"
#include "state/object_store.h"

namespace swavd::state {

/// What an upload is going to write.
struct UploadEntry {
  std::string id;
  std::uint64_t generation = 0;
  std::vector<std::string> files;  ///< below snapshots/<id>/
};

/// Which objects below snapshots/ this run has written: `<root>journal/
/// <id>.json`, put before an upload's first file and removed after its last
/// one is gone. Nothing else below snapshots/ is ever removed.
class UploadJournal {
 public:
  /// `store` must outlive it. `root`: "" or "<run>/".
  UploadJournal(ObjectStore& store, const std::string& root);

  /// Errors: those of the store.
  [[nodiscard]] Status begin(const UploadEntry& entry);
  [[nodiscard]] Status forget(const std::string& id);

  /// The ids that have an entry. Errors: kUnavailable, kIo.
  [[nodiscard]] Result<std::set<std::string>> ids();

  /// Errors: kNotFound; kCorruption; those of the store.
  [[nodiscard]] Result<UploadEntry> read(const std::string& id);

 private:
  [[nodiscard]] std::string key_of(const std::string& id) const;

  ObjectStore& store_;
  std::string prefix_;
};

}  // namespace swavd::state
