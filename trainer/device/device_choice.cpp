#include "trainer/device/device_choice.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "trainer/device/plugin_library.h"

namespace swavd::trainer {

namespace {

constexpr std::string_view kAuto = "auto";
constexpr std::string_view kCpu = "cpu";
constexpr std::string_view kCuda = "cuda";

/// The number in "cuda:N"; 0 for "cuda"; nullopt for another text.
std::optional<std::int32_t> cuda_index(std::string_view wanted) {
  if (wanted == kCuda) {
    return 0;
  }
  constexpr std::string_view kPrefix = "cuda:";
  std::int32_t index = 0;
  if (!wanted.starts_with(kPrefix)) {
    return std::nullopt;
  }
  const char* begin = wanted.data() + kPrefix.size();
  const char* end = wanted.data() + wanted.size();
  const auto [stop, error] = std::from_chars(begin, end, index);
  const bool whole = error == std::errc() && stop == end && *begin != '-';
  return whole ? std::optional(index) : std::nullopt;
}

Error no_gpu(std::string_view why) {
  return {
      ErrorCode::kUnavailable,
      fmt::format(
          "{}; `nvidia-smi` shows what the driver sees, and "
          "$CUDA_VISIBLE_DEVICES what this process may",
          why)};
}

Result<ChosenDevice> open_gpu(const CudaPlugin& plugin, std::int32_t index) {
  std::int32_t count = 0;
  if (const PluginError error = plugin.device_count(&count)) {
    return no_gpu(error);
  }
  if (count <= 0) {
    return no_gpu("there is no NVIDIA GPU");
  }
  if (index >= count) {
    return no_gpu(fmt::format(
        "there is no cuda:{}, the last one is cuda:{}", index, count - 1));
  }
  PluginDevice about{};
  if (const PluginError error = plugin.describe(index, &about)) {
    return no_gpu(fmt::format("cuda:{} cannot be used: {}", index, error));
  }
  ChosenDevice chosen;
  chosen.device.name = fmt::format("cuda:{}", index);
  chosen.device.description = about.name;
  chosen.device.memory_bytes = about.memory_bytes;
  chosen.link = std::make_shared<DeviceLink>(plugin, index);
  return chosen;
}

}  // namespace

Result<ChosenDevice> choose_among(
    std::string_view wanted,
    const OpenPlugin& open) {
  if (wanted == kCpu) {
    return ChosenDevice{};
  }
  const bool may_be_cpu = wanted == kAuto;
  const auto index = may_be_cpu ? 0 : cuda_index(wanted);
  if (!index) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "\"{}\" is no device: write auto, cpu, cuda or cuda:N", wanted)};
  }
  const auto plugin = open();
  auto chosen = plugin.ok() ? open_gpu(*plugin.value(), *index)
                            : Result<ChosenDevice>(plugin.error());
  if (chosen.ok()) {
    return chosen;
  }
  if (!may_be_cpu) {
    return Error{
        ErrorCode::kUnavailable,
        fmt::format(
            "the device {} was asked for: {}", wanted, chosen.error().message)};
  }
  ChosenDevice cpu;
  cpu.device.why_cpu = chosen.error().message;
  cpu.device.plugin_installed =
      plugin.ok() || plugin.error().code != ErrorCode::kNotFound;
  return cpu;
}

Result<ChosenDevice> choose_here(std::string_view wanted) {
  return choose_among(wanted, []() -> Result<const CudaPlugin*> {
    static const Result<const CudaPlugin*> opened = open_plugin(plugin_paths());
    return opened;
  });
}

Result<ComputeDevice> choose_device(std::string_view wanted) {
  auto chosen = choose_here(wanted);
  if (!chosen.ok()) {
    return chosen.error();
  }
  return std::move(chosen).value().device;
}

std::string to_string(const ComputeDevice& device) {
  if (!device.why_cpu.empty()) {
    return fmt::format("{} ({})", device.name, device.why_cpu);
  }
  if (device.is_cpu()) {
    return device.name;
  }
  constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
  return fmt::format(
      "{} ({}, {:.1f} GiB)",
      device.name,
      device.description,
      static_cast<double>(device.memory_bytes) / kGiB);
}

}  // namespace swavd::trainer
