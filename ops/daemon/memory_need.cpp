#include "ops/daemon/memory_need.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "ops/daemon/options.h"

namespace swavd::daemon {

namespace {

double gigabytes(std::uint64_t bytes) {
  return static_cast<double>(bytes) / 1e9;
}

}  // namespace

Result<MemoryNeed> memory_need(
    const service::Config& config,
    const trainer::ComputeDevice& device) {
  MemoryNeed need;
  if (config.model.trainer == "ledger") {
    return need;
  }
  std::vector<trainer::CropShape> crops;
  std::int64_t numbers = 0;  // of one image
  for (const service::CropConfig& crop : config.loader.crops) {
    crops.push_back({crop.count, crop.size});
    numbers += crop.count * crop.size * crop.size * 3;
  }
  auto step = trainer::step_memory(
      trainer_options(config), crops, config.loader.batch_images);
  if (!step.ok()) {
    return step.error();
  }
  need.step = step.value();
  const auto batch =
      static_cast<std::uint64_t>(config.loader.batch_images * numbers) *
      sizeof(float);
  const std::uint64_t state = need.step.parameters + need.step.momenta;
  need.on_device = !device.is_cpu();
  // On a GPU one more is on its way there.
  const auto batches = static_cast<std::uint64_t>(
      config.loader.prefetch_batches + (need.on_device ? 3 : 2));
  need.crops = batches * batch;
  need.window =
      config.loader.shuffle_records > 1 ? config.loader.shuffle_bytes : 0;
  need.frozen = 2 * state;
  if (need.on_device) {
    need.uploaded = 2 * batch;
    need.shadow = state;
  }
  return need;
}

std::string to_string(const MemoryNeed& need) {
  std::vector<std::pair<const char*, std::uint64_t>> parts = {
      {"parameters", need.step.parameters},
      {"momenta", need.step.momenta},
      {"gradients", need.step.gradients},
      {"cast weights", need.step.cast_weights},
      {"activations of the trunk", need.step.activations},
      {"head and loss", need.step.head},
      {"crops", need.crops},
      {"shuffle window", need.window},
      {"copies for snapshots", need.frozen}};
  std::string text = fmt::format("{:.2f} GB:", gigabytes(need.total()));
  if (need.on_device) {
    parts.emplace_back("crops on the GPU", need.uploaded);
    parts.emplace_back("a copy for snapshots there", need.shadow);
    text = fmt::format(
        "{:.2f} GB and {:.2f} GB of the GPU's:",
        gigabytes(need.host()),
        gigabytes(need.device()));
  }
  const char* separator = "";
  for (const auto& [name, bytes] : parts) {
    text += fmt::format("{} {} {:.2f}", separator, name, gigabytes(bytes));
    separator = ",";
  }
  return text;
}

Status check_memory(
    const service::Config& config,
    const MemoryLimit& limit,
    const trainer::ComputeDevice& device) {
  const auto need = memory_need(config, device);
  if (!need.ok()) {
    return need.error();
  }
  const auto refusal = [&](std::uint64_t bytes, const std::string& whose) {
    return Error{
        ErrorCode::kConfig,
        fmt::format(
            "the run does not fit into {:.2f} GB of memory ({}); it needs {}. "
            "Lower loader.batch_images or the crops, set "
            "precision.checkpoint_groups, or take a smaller model",
            gigabytes(bytes),
            whose,
            to_string(need.value()))};
  };
  if (limit.bytes > 0 && need.value().host() > limit.bytes) {
    return refusal(limit.bytes, limit.source);
  }
  if (need.value().device() > device.memory_bytes) {
    return refusal(device.memory_bytes, device.name);
  }
  return ok_status();
}

}  // namespace swavd::daemon
