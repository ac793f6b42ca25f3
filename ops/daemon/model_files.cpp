#include "ops/daemon/model_files.h"

#include <cmath>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "ingest/position_json.h"
#include "ops/base/clock.h"
#include "ops/base/files.h"
#include "ops/base/sha256.h"
#include "ops/daemon/daemon.h"
#include "ops/daemon/init_from.h"
#include "ops/daemon/options.h"
#include "ops/daemon/schedule_json.h"
#include "scheduler/learning_rate.h"
#include "state/safetensors.h"
#include "state/snapshot_ref.h"

namespace swavd::daemon {

namespace {

using Json = nlohmann::ordered_json;

/// [B, 3, H, W] as it lies in a file, to the loader's [B, H, W, 3].
void to_channels_last(
    const float* from,
    std::int64_t images,
    std::int64_t side,
    float* to) {
  const std::int64_t area = side * side;
  for (std::int64_t image = 0; image < images; ++image) {
    for (std::int64_t channel = 0; channel < 3; ++channel) {
      const float* plane = from + (image * 3 + channel) * area;
      float* out = to + image * area * 3 + channel;
      for (std::int64_t pixel = 0; pixel < area; ++pixel) {
        out[pixel * 3] = plane[pixel];
      }
    }
  }
}

Status check_crop(
    const state::TensorView& crop,
    const std::vector<std::int64_t>& first) {
  const bool fits = crop.dtype == state::DType::kF32 &&
                    crop.shape.size() == 4 && crop.shape[1] == 3 &&
                    crop.shape[2] == crop.shape[3] && crop.shape[0] == first[0];
  if (fits) {
    return ok_status();
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "{} is {} [{}]; expected F32 [{}, 3, S, S]",
          crop.name,
          to_string(crop.dtype),
          fmt::join(crop.shape, ", "),
          first[0])};
}

/// Groups consecutive crops of one size, crop-major, as the loader does.
Result<loader::Batch> read_crops(const state::SafetensorsView& file) {
  const state::TensorView* crop = file.find("crop.0");
  if (crop == nullptr || crop->shape.empty()) {
    return Error{
        ErrorCode::kInvalidArgument, "the crops file has no tensor crop.0"};
  }
  const std::vector<std::int64_t> first = crop->shape;
  std::vector<const state::TensorView*> crops;
  for (int i = 0; crop != nullptr;
       crop = file.find(fmt::format("crop.{}", ++i))) {
    SWAVD_RETURN_IF_ERROR(check_crop(*crop, first));
    crops.push_back(crop);
  }
  loader::Batch batch;
  batch.images = static_cast<std::int32_t>(first[0]);
  const loader::BufferAllocator host = loader::host_allocator();
  for (std::size_t i = 0; i < crops.size();) {
    const std::int64_t side = crops[i]->shape[2];
    std::size_t end = i;
    while (end < crops.size() && crops[end]->shape[2] == side) {
      ++end;
    }
    const auto floats = static_cast<std::size_t>(first[0] * side * side * 3);
    loader::BufferPool pool(host, (end - i) * floats);
    loader::CropGroup group{
        static_cast<std::int32_t>(end - i),
        static_cast<std::int32_t>(side),
        pool.take()};
    for (std::size_t c = i; c < end; ++c) {
      to_channels_last(
          reinterpret_cast<const float*>(crops[c]->data.data()),
          first[0],
          side,
          group.data.get() + (c - i) * floats);
    }
    batch.groups.push_back(std::move(group));
    i = end;
  }
  batch.slots.resize(static_cast<std::size_t>(batch.images));
  return batch;
}

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

Result<std::string> replay_step(
    const std::string& ref,
    const std::string& crops_file,
    const std::string& folder) {
  auto opened = state::open_snapshot(ref);
  if (!opened.ok()) {
    return opened.error();
  }
  state::Manifest manifest = opened.value().reader->manifest();
  auto schedule = schedule_from_json(manifest.schedule_json);
  if (!schedule.ok()) {
    return schedule.error();
  }
  auto model = load_model(ref, ModelUse::kTrain);
  if (!model.ok()) {
    return model.error();
  }
  auto bytes = read_file(crops_file);
  if (!bytes.ok()) {
    return bytes.error();
  }
  auto file = state::parse_safetensors(bytes.value());
  if (!file.ok()) {
    return file.error().with_context(crops_file);
  }
  auto batch = read_crops(file.value());
  if (!batch.ok()) {
    return batch.error();
  }
  const auto options = schedule_options(model.value().config);
  const double rate = scheduler::learning_rate(options, schedule.value());
  auto report = model.value().trainer->step(batch.value(), rate);
  if (!report.ok()) {
    return report.error();
  }
  const auto images = static_cast<std::uint64_t>(batch.value().images);
  manifest.parent = opened.value().reader->id();
  manifest.images += images;
  manifest.schedule_json = schedule_to_json(scheduler::observe(
      options, schedule.value(), report.value().loss, images));
  auto written =
      write_snapshot(std::move(manifest), *model.value().trainer, folder);
  if (!written.ok()) {
    return written.error();
  }
  return Json({{"loss", report.value().loss},
               {"grad_norm", report.value().grad_norm},
               {"learning_rate", rate}})
      .dump();
}

}  // namespace swavd::daemon
