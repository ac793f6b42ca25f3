#pragma once

#include <functional>
#include <map>
#include <string>

#include "state/frozen_state.h"
#include "state/snapshot_store.h"

namespace swavd::trainer {

/// A snapshot in memory, its files written as a store would write them.
class MemorySnapshot final : public state::SnapshotReader {
 public:
  /// Everything `frozen` holds.
  explicit MemorySnapshot(const state::FrozenState& frozen);

  /// Adds or replaces a file.
  void set_file(const std::string& name, ByteVector bytes);

  void remove_file(const std::string& name);

  /// The bytes of all files, by name.
  [[nodiscard]] const std::map<std::string, ByteVector>& files() const {
    return files_;
  }

  const std::string& id() const override { return id_; }

  const state::Manifest& manifest() const override { return manifest_; }

  const std::string& manifest_text() const override { return text_; }

  Status read(const std::string& name, const std::function<Status(Bytes)>& sink)
      override;

 private:
  void list_files();

  std::map<std::string, ByteVector> files_;
  state::Manifest manifest_;
  std::string text_;
  std::string id_;
};

}  // namespace swavd::trainer
