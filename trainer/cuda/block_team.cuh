#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "trainer/cuda/host_device.h"

namespace swavd::trainer {

inline constexpr int kTeamThreads = 256;

/// A block of kTeamThreads threads as a team (host_device.h).
class BlockTeam {
 public:
  __device__ std::int64_t block() const { return blockIdx.x; }

  __device__ std::int64_t thread() const { return threadIdx.x; }

  __device__ std::int64_t size() const { return kTeamThreads; }

  __device__ float sum(float x) const {
    return reduce(x, [](float a, float b) { return a + b; });
  }

  __device__ double sum(double x) const {
    return reduce(x, [](double a, double b) { return a + b; });
  }

  __device__ float greatest(float x) const {
    return reduce(x, [](float a, float b) { return greater_of(a, b); });
  }

 private:
  static constexpr int kWarp = 32;

  /// The same order of operations on every device, so the same bits.
  template <typename T, typename Join>
  __device__ T reduce(T x, const Join& join) const {
    constexpr unsigned kAll = 0xFFFFFFFFU;
    __shared__ T parts[kTeamThreads / kWarp];
    for (int offset = kWarp / 2; offset > 0; offset /= 2) {
      x = join(x, __shfl_xor_sync(kAll, x, offset));
    }
    __syncthreads();  // the parts of the call before have been read
    if (threadIdx.x % kWarp == 0) {
      parts[threadIdx.x / kWarp] = x;
    }
    __syncthreads();
    T whole = parts[0];
    for (int i = 1; i < kTeamThreads / kWarp; ++i) {
      whole = join(whole, parts[i]);
    }
    return whole;
  }
};

template <typename Functor>
__global__ void __launch_bounds__(kTeamThreads)
    run_block(const __grid_constant__ Functor functor) {
  BlockTeam team;
  functor(team);
}

/// Puts a launch into `stream`; its errors are those of the runtime, to be
/// asked for behind.
struct StreamLaunch {
  cudaStream_t stream;

  template <typename Functor>
  void operator()(std::int64_t blocks, const Functor& functor) const {
    if (blocks > 0) {
      run_block<<<static_cast<unsigned>(blocks), kTeamThreads, 0, stream>>>(
          functor);
    }
  }
};

}  // namespace swavd::trainer
