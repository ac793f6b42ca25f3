// libswavd_cuda.so: the functions behind plugin_interface.h. It is opened with
// RTLD_GLOBAL and linked to libtorch_cuda, so that opening it also brings
// LibTorch's own CUDA operators into the program.
#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime.h>

#include "trainer/cuda/kernels.h"
#include "trainer/cuda/plugin_interface.h"

namespace swavd::trainer {

namespace {

PluginError told(const std::string& what) {
  thread_local std::string text;
  text = what;
  return text.c_str();
}

PluginError outcome(cudaError_t error, const char* what) {
  if (error == cudaSuccess) {
    return nullptr;
  }
  (void)cudaGetLastError();  // or the next call would tell of it again
  return told(
      std::string(what) + ": " + cudaGetErrorString(error) + " (" +
      cudaGetErrorName(error) + ")");
}

/// The result of `body()`, which calls LibTorch: that throws.
template <typename Body>
PluginError guarded(const char* what, const Body& body) {
  try {
    return body();
  } catch (const std::exception& error) {
    return told(std::string(what) + ": " + error.what());
  }
}

cudaStream_t of(PluginStream* stream) {
  return reinterpret_cast<cudaStream_t>(stream);
}

cudaEvent_t of(PluginEvent* event) {
  return reinterpret_cast<cudaEvent_t>(event);
}

PluginError device_count(std::int32_t* count) {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  *count = devices;
  return outcome(error, "no NVIDIA GPU can be used");
}

PluginError describe(std::int32_t device, PluginDevice* about) {
  cudaDeviceProp properties{};
  cudaError_t error = cudaGetDeviceProperties(&properties, device);
  int before = 0;
  if (error == cudaSuccess) {
    std::snprintf(about->name, sizeof about->name, "%s", properties.name);
    error = cudaGetDevice(&before);
  }
  if (error == cudaSuccess) {
    error = cudaSetDevice(device);
  }
  if (error == cudaSuccess) {
    std::size_t free = 0;
    std::size_t total = 0;
    error = cudaMemGetInfo(&free, &total);
    about->memory_bytes = total;
    about->free_bytes = free;
    (void)cudaSetDevice(before);
  }
  return outcome(error, "look at the device");
}

PluginError select(std::int32_t device) {
  return guarded("select the device", [&] {
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(device));
    return static_cast<PluginError>(nullptr);
  });
}

PluginError memory(std::int32_t device, PluginMemory* figures) {
  return guarded("ask for memory figures", [&] {
    namespace allocator = c10::cuda::CUDACachingAllocator;
    const auto stats =
        allocator::getDeviceStats(static_cast<c10::DeviceIndex>(device));
    const auto whole = [](const c10::CachingAllocator::StatArray& stat) {
      return stat[static_cast<std::size_t>(
          c10::CachingAllocator::StatType::AGGREGATE)];
    };
    const auto used = whole(stats.allocated_bytes);
    figures->used_bytes = static_cast<std::uint64_t>(used.current);
    figures->peak_bytes = static_cast<std::uint64_t>(used.peak);
    figures->held_bytes =
        static_cast<std::uint64_t>(whole(stats.reserved_bytes).current);
    figures->allocations = static_cast<std::uint64_t>(stats.num_device_alloc);
    return static_cast<PluginError>(nullptr);
  });
}

PluginError forget_peak(std::int32_t device) {
  return guarded("forget the peak", [&] {
    c10::cuda::CUDACachingAllocator::resetPeakStats(
        static_cast<c10::DeviceIndex>(device));
    return static_cast<PluginError>(nullptr);
  });
}

PluginError allocate_pinned(std::size_t bytes, void** memory) {
  return outcome(
      cudaHostAlloc(memory, bytes, cudaHostAllocPortable),
      "allocate pinned memory");
}

PluginError release_pinned(void* memory) {
  return outcome(cudaFreeHost(memory), "release pinned memory");
}

PluginError current_stream(std::int32_t device, PluginStream** stream) {
  return guarded("ask for the stream", [&] {
    *stream = reinterpret_cast<PluginStream*>(
        c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device))
            .stream());
    return static_cast<PluginError>(nullptr);
  });
}

PluginError make_stream(PluginStream** stream) {
  cudaStream_t made = nullptr;
  const cudaError_t error =
      cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking);
  *stream = reinterpret_cast<PluginStream*>(made);
  return outcome(error, "make a stream");
}

PluginError drop_stream(PluginStream* stream) {
  return outcome(cudaStreamDestroy(of(stream)), "drop a stream");
}

PluginError make_event(PluginEvent** event) {
  cudaEvent_t made = nullptr;
  // Blocking: whoever waits must not spin on a core the decoders want.
  const cudaError_t error = cudaEventCreateWithFlags(
      &made, cudaEventDisableTiming | cudaEventBlockingSync);
  *event = reinterpret_cast<PluginEvent*>(made);
  return outcome(error, "make an event");
}

PluginError drop_event(PluginEvent* event) {
  return outcome(cudaEventDestroy(of(event)), "drop an event");
}

PluginError record(PluginEvent* event, PluginStream* stream) {
  return outcome(cudaEventRecord(of(event), of(stream)), "record an event");
}

PluginError wait(PluginStream* stream, PluginEvent* event) {
  return outcome(
      cudaStreamWaitEvent(of(stream), of(event), 0), "wait for an event");
}

PluginError synchronise(PluginEvent* event) {
  return outcome(cudaEventSynchronize(of(event)), "wait for the device");
}

bool is_pageable(const void* memory) {
  cudaPointerAttributes attributes{};
  if (cudaPointerGetAttributes(&attributes, memory) != cudaSuccess) {
    (void)cudaGetLastError();
    return true;
  }
  return attributes.type == cudaMemoryTypeUnregistered;
}

PluginError
copy(void* to, const void* from, std::size_t bytes, PluginStream* stream) {
  if (is_pageable(to) || is_pageable(from)) {
    return "copy: one side is pageable memory";
  }
  return outcome(
      cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, of(stream)), "copy");
}

PluginError sinkhorn(const SinkhornJob* job, PluginStream* stream) {
  return outcome(launch_sinkhorn(*job, of(stream)), "Sinkhorn");
}

PluginError trust_ratios(const RatioJob* job, PluginStream* stream) {
  return outcome(launch_trust_ratios(*job, of(stream)), "trust ratios");
}

PluginError update(const UpdateJob* job, PluginStream* stream) {
  return outcome(launch_update(*job, of(stream)), "update");
}

const CudaPlugin kPlugin = {
    kPluginAbi,
    sizeof(CudaPlugin),
    SWAVD_PLUGIN_BUILD,
    /*on_host=*/0,
    &device_count,
    &describe,
    &select,
    &memory,
    &forget_peak,
    &allocate_pinned,
    &release_pinned,
    &current_stream,
    &make_stream,
    &drop_stream,
    &make_event,
    &drop_event,
    &record,
    &wait,
    &synchronise,
    &copy,
    &sinkhorn,
    &trust_ratios,
    &update,
};

}  // namespace

}  // namespace swavd::trainer

extern "C" __attribute__((visibility("default")))
const swavd::trainer::CudaPlugin*
swavd_cuda_plugin() {
  return &swavd::trainer::kPlugin;
}
