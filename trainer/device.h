#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ops/base/result.h"

namespace swavd::trainer {

/// What steps are computed on.
struct ComputeDevice {
  std::string name = "cpu";        ///< "cpu" or "cuda:N"
  std::string description;         ///< what the maker calls it; of a GPU
  std::uint64_t memory_bytes = 0;  ///< its own; 0: the machine's
  std::string why_cpu;             ///< why "auto" took the CPU
  /// With `why_cpu`: the plugin for GPUs is installed, so one was to be used.
  bool plugin_installed = false;

  [[nodiscard]] bool is_cpu() const { return name == "cpu"; }
};

/// The device that `wanted` ("auto", "cpu", "cuda" or "cuda:N") comes to on
/// this machine: with "auto" the first GPU that can be used, else the CPU. The
/// plugin libswavd_cuda.so is opened the first time that a GPU is asked for,
/// and stays: call this before anything else of the trainer. Thread-safe.
///
/// The plugin is looked for beside the program and in ../lib;
/// $SWAVD_CUDA_PLUGIN names another file, or none at all when it is empty.
///
/// Errors: kUnavailable, a GPU was demanded and cannot be used, with the
/// reason; kInvalidArgument, another text.
[[nodiscard]] Result<ComputeDevice> choose_device(std::string_view wanted);

/// For people: "cuda:0 (NVIDIA H100, 79.1 GiB)", "cpu (there is no …)".
[[nodiscard]] std::string to_string(const ComputeDevice& device);

}  // namespace swavd::trainer
