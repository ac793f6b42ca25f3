#pragma once

#include <string>
#include <vector>

#include "ops/base/result.h"
#include "state/object_store.h"

namespace swavd::state {

/// The pins of a run in an object store: an object `<root>pins/<id>.json`
/// each, so that no writer can lose another's. What keeps a pin and a drop
/// that happen at once apart is said in ops/docs/formats/object-store.md.
class RemotePins {
 public:
  /// `store` must outlive it. `root`: "" or "<run>/".
  RemotePins(ObjectStore& store, const std::string& root);

  /// Errors: those of the store.
  [[nodiscard]] Status put(const std::string& id);
  [[nodiscard]] Status remove(const std::string& id);

  /// Ascending. Errors: kUnavailable, kIo.
  [[nodiscard]] Result<std::vector<std::string>> list();

  /// Errors: kUnavailable, kIo.
  [[nodiscard]] Result<bool> contains(const std::string& id);

 private:
  [[nodiscard]] std::string key_of(const std::string& id) const;

  ObjectStore& store_;
  std::string prefix_;
};

}  // namespace swavd::state
