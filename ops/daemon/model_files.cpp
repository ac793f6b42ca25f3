#include "ops/daemon/model_files.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "ingest/position_json.h"
#include "ops/base/clock.h"
#include "ops/base/files.h"
#include "ops/base/sha256.h"
#include "ops/daemon/daemon.h"
#include "ops/daemon/init_from.h"
#include "ops/daemon/schedule_json.h"
#include "state/safetensors.h"
#include "state/snapshot_ref.h"

namespace swavd::daemon {

namespace {

using Json = nlohmann::ordered_json;

state::Manifest fresh_manifest(const service::Config& config) {
  state::Manifest manifest;
  manifest.run = config.run;
  manifest.created_ms = SystemClock().unix_ms();
  manifest.stream_json = stream_to_json({});
  manifest.positions_json = ingest::positions_to_json({});
  manifest.ledger_json = ingest::ledger_to_json({});
  manifest.schedule_json = schedule_to_json({});
  manifest.config_toml = config.lineage_toml;
  manifest.config_sha256 = sha256_hex(as_bytes(config.lineage_toml));
  return manifest;
}

Result<std::string> write_snapshot(
    state::Manifest manifest,
    trainer::Trainer& trainer,
    const std::string& folder) {
  const state::FrozenState frozen = trainer.freeze();
  manifest.step = frozen.step;
  manifest.random_json = frozen.random_json;
  return state::write_snapshot_folder(std::move(manifest), frozen, folder);
}

}  // namespace

Status write_features(
    const EmbeddedImages& images,
    const std::string& snapshot_id,
    const std::string& file) {
  state::TensorFile out;
  out.name = file;
  const auto* bytes =
      reinterpret_cast<const std::uint8_t*>(images.features.values.data());
  out.tensors.push_back(
      {"features",
       state::DType::kF32,
       {images.features.rows, images.features.dim},
       Bytes(bytes, images.features.values.size() * sizeof(float))});
  out.metadata["paths"] = Json(images.names).dump();
  out.metadata["snapshot"] = snapshot_id;
  ByteVector content;
  SWAVD_RETURN_IF_ERROR(state::write_safetensors(out, [&content](Bytes piece) {
    content.insert(content.end(), piece.begin(), piece.end());
    return ok_status();
  }));
  return write_file_durably(file, content);
}

Result<std::string> init_snapshot(
    const service::Config& config,
    const std::string& folder) {
  auto trainer = make_trainer(config);
  if (!trainer.ok()) {
    return trainer.error();
  }
  auto origin = begin_with_given_weights(config, *trainer.value());
  if (!origin.ok()) {
    return origin.error();
  }
  state::Manifest manifest = fresh_manifest(config);
  manifest.origin_json = std::move(origin).value();
  return write_snapshot(std::move(manifest), *trainer.value(), folder);
}

}  // namespace swavd::daemon
