#pragma once

#include <cstddef>
#include <cstdint>

#include "trainer/cuda/kernel_jobs.h"

// The C interface between swavd and libswavd_cuda.so, which is opened at start
// when it is there. Free of CUDA's headers and of LibTorch's.

namespace swavd::trainer {

/// Counts up with every change of what this header and kernel_jobs.h declare.
inline constexpr std::uint32_t kPluginAbi = 1;

/// The one symbol of the plugin: a `PluginEntry`.
inline constexpr const char* kPluginSymbol = "swavd_cuda_plugin";

/// nullptr, or what went wrong: valid until the thread's next call.
using PluginError = const char*;

/// A queue of a device: what is put into it runs in order.
struct PluginStream;

/// A point in a stream.
struct PluginEvent;

struct PluginDevice {
  char name[256];
  std::uint64_t memory_bytes;
  std::uint64_t free_bytes;
};

/// Of LibTorch's allocator on one device.
struct PluginMemory {
  std::uint64_t used_bytes;
  std::uint64_t peak_bytes;   ///< since the last `forget_peak`
  std::uint64_t held_bytes;   ///< used or kept for reuse
  std::uint64_t allocations;  ///< calls to the driver so far
};

/// What the plugin can do. All functions may be called from any thread; those
/// that put something into a stream, from the thread that has `select`ed the
/// stream's device.
struct CudaPlugin {
  std::uint32_t abi;    ///< kPluginAbi; looked at before all else
  std::uint32_t bytes;  ///< sizeof(CudaPlugin)
  const char* build;    ///< of which build of swavd it is part
  /// Not 0: there is no device, the host's memory stands in for its (tests).
  std::uint32_t on_host;

  PluginError (*device_count)(std::int32_t* count);
  PluginError (*describe)(std::int32_t device, PluginDevice* about);
  PluginError (*select)(std::int32_t device);
  PluginError (*memory)(std::int32_t device, PluginMemory* figures);
  PluginError (*forget_peak)(std::int32_t device);

  PluginError (*allocate_pinned)(std::size_t bytes, void** memory);
  PluginError (*release_pinned)(void* memory);

  /// The stream LibTorch's operators of this thread run on.
  PluginError (*current_stream)(std::int32_t device, PluginStream** stream);
  PluginError (*make_stream)(PluginStream** stream);
  PluginError (*drop_stream)(PluginStream* stream);
  PluginError (*make_event)(PluginEvent** event);
  PluginError (*drop_event)(PluginEvent* event);
  PluginError (*record)(PluginEvent* event, PluginStream* stream);
  /// What is put into `stream` from now on runs after `event`.
  PluginError (*wait)(PluginStream* stream, PluginEvent* event);
  /// Blocks the caller until `event` has come.
  PluginError (*synchronise)(PluginEvent* event);
  /// Puts a copy between device and pinned memory into `stream`. Refuses
  /// pageable memory, for which the driver would block.
  PluginError (*copy)(
      void* to,
      const void* from,
      std::size_t bytes,
      PluginStream* stream);

  PluginError (*sinkhorn)(const SinkhornJob* job, PluginStream* stream);
  PluginError (*trust_ratios)(const RatioJob* job, PluginStream* stream);
  PluginError (*update)(const UpdateJob* job, PluginStream* stream);
};

extern "C" {
using PluginEntry = const CudaPlugin* (*)();
}

}  // namespace swavd::trainer
