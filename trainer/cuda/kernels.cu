#include "trainer/cuda/block_team.cuh"
#include "trainer/cuda/kernels.h"
#include "trainer/cuda/sinkhorn_functors.h"
#include "trainer/cuda/update_functors.h"

namespace swavd::trainer {

cudaError_t launch_sinkhorn(const SinkhornJob& job, cudaStream_t stream) {
  run_sinkhorn(job, StreamLaunch{stream});
  return cudaGetLastError();
}

cudaError_t launch_trust_ratios(const RatioJob& job, cudaStream_t stream) {
  run_trust_ratios(job, StreamLaunch{stream});
  return cudaGetLastError();
}

cudaError_t launch_update(const UpdateJob& job, cudaStream_t stream) {
  run_update(job, StreamLaunch{stream});
  return cudaGetLastError();
}

}  // namespace swavd::trainer
