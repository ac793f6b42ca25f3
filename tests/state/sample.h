#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <stdlib.h>

#include "ops/base/bytes.h"
#include "ops/base/check.h"
#include "ops/base/sha256.h"
#include "state/frozen_state.h"
#include "state/manifest.h"
#include "state/snapshot_store.h"

namespace swavd::state {

/// A folder of its own that goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path =
        (std::filesystem::temp_directory_path() / "swavd-state-XXXXXX")
            .string();
    SWAVD_CHECK(::mkdtemp(path.data()) != nullptr);
    path_ = path;
  }

  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  [[nodiscard]] std::string operator/(const std::string& name) const {
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

/// Bytes that depend on `seed` alone and do not repeat within a chunk.
inline ByteVector sample_bytes(std::uint64_t seed, std::size_t count) {
  ByteVector bytes(count);
  std::uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 1;
  for (auto& byte : bytes) {
    x ^= x << 13U;
    x ^= x >> 7U;
    x ^= x << 17U;
    byte = static_cast<std::uint8_t>(x >> 32U);
  }
  return bytes;
}

/// A state of three tensor files and two texts made from `seed`; the largest
/// file holds about `bytes`.
inline FrozenState
sample_state(std::uint64_t step, std::uint64_t seed, std::size_t bytes = 1000) {
  struct Storage {
    ByteVector weights, head, momentum;
    std::int64_t batches = 0;
  };

  auto storage = std::make_shared<Storage>();
  const std::size_t floats = bytes / 4;
  storage->weights = sample_bytes(seed, floats * 4);
  storage->head = sample_bytes(seed + 1, 12);
  storage->momentum = sample_bytes(seed + 2, floats * 4);
  storage->batches = static_cast<std::int64_t>(step);
  FrozenState state;
  state.step = step;
  const auto length = static_cast<std::int64_t>(floats);
  state.tensor_files = {
      {"model.safetensors",
       {{"stem.weight", DType::kF32, {length}, storage->weights},
        {"stem.num_batches_tracked",
         DType::kI64,
         {},
         {reinterpret_cast<const std::uint8_t*>(&storage->batches), 8}}},
       {}},
      {"head.safetensors",
       {{"prototypes.weight", DType::kBF16, {2, 3}, storage->head}},
       {}},
      {"state.safetensors",
       {{"momentum.stem.weight", DType::kF32, {length}, storage->momentum}},
       {}}};
  state.text_files = {
      {"config.json", "{\"model_type\": \"regnet\"}\n"},
      {"preprocessor_config.json", "{}\n"}};
  state.owner = storage;
  return state;
}

/// A manifest for commit `commit` at step 10 times that.
inline Manifest sample_manifest(
    std::uint64_t commit,
    std::uint64_t generation = 1) {
  Manifest manifest;
  manifest.generation = generation;
  manifest.commit = commit;
  manifest.step = commit * 10;
  manifest.images = manifest.step * 128;
  manifest.created_ms = 1'764'000'000'123 + static_cast<std::int64_t>(commit);
  manifest.positions_json =
      R"([{"topic":"images","partition":0,"start":0,"next":7}])";
  manifest.config_toml = "[model]\npreset = \"tiny\"\n";
  manifest.config_sha256 = sha256_hex(as_bytes(manifest.config_toml));
  manifest.health.verdict = "healthy";
  return manifest;
}

/// Options that do not set hundreds of megabytes aside.
inline LocalStoreOptions small_store(const std::string& folder) {
  return {folder, 1U << 20U};
}

/// Inverts one byte of a file.
inline void damage(const std::filesystem::path& path, std::streamoff at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  SWAVD_CHECK(file.good());
  file.seekg(at);
  const int byte = file.get();
  file.seekp(at);
  file.put(static_cast<char>(byte ^ 0xff));
  SWAVD_CHECK(file.good());
}

/// The ids of a listing, in its order.
inline std::vector<std::string> ids(const std::vector<SnapshotInfo>& list) {
  std::vector<std::string> names;
  for (const SnapshotInfo& info : list) {
    names.push_back(info.id);
  }
  return names;
}

}  // namespace swavd::state
