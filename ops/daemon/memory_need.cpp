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

Result<MemoryNeed> memory_need(const service::Config& config) {
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
  const std::int64_t batches = config.loader.prefetch_batches + 2;
  need.crops = static_cast<std::uint64_t>(
                   batches * config.loader.batch_images * numbers) *
               sizeof(float);
  need.frozen = 2 * (need.step.parameters + need.step.momenta);
  return need;
}

std::string to_string(const MemoryNeed& need) {
  const std::pair<const char*, std::uint64_t> parts[] = {
      {"parameters", need.step.parameters},
      {"momenta", need.step.momenta},
      {"gradients", need.step.gradients},
      {"cast weights", need.step.cast_weights},
      {"activations of the trunk", need.step.activations},
      {"head and loss", need.step.head},
      {"crops", need.crops},
      {"copies for snapshots", need.frozen}};
  std::string text = fmt::format("{:.2f} GB:", gigabytes(need.total()));
  const char* separator = "";
  for (const auto& [name, bytes] : parts) {
    text += fmt::format("{} {} {:.2f}", separator, name, gigabytes(bytes));
    separator = ",";
  }
  return text;
}

Status check_memory(const service::Config& config, const MemoryLimit& limit) {
  const auto need = memory_need(config);
  if (!need.ok()) {
    return need.error();
  }
  if (limit.bytes == 0 || need.value().total() <= limit.bytes) {
    return ok_status();
  }
  return Error{
      ErrorCode::kConfig,
      fmt::format(
          "the run does not fit into {:.2f} GB of memory ({}); it needs {}. "
          "Lower loader.batch_images or the crops, set "
          "precision.checkpoint_groups, or take a smaller model",
          gigabytes(limit.bytes),
          limit.source,
          to_string(need.value()))};
}

}  // namespace swavd::daemon
