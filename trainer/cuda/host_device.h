#pragma once

// Kernels are functors over raw pointers that a team works off, block by block.
// On a GPU the team is a block of threads (block_team.cuh); on the CPU it is
// one thread or a few (the tests), so that the same code runs on both.
//
// A team has: block(), which block this is; thread() and size(), which of its
// threads the caller is, and of how many; sum(x) and greatest(x), over all
// threads, for each of them: all must call it, and none passes before all
// have. Threads of a block share what they wrote before such a call; blocks
// share nothing, what one writes the next launch reads.

#if defined(__CUDACC__)
#define SWAVD_HOST_DEVICE __host__ __device__
#else
#define SWAVD_HOST_DEVICE
#endif

namespace swavd::trainer {

/// The greater one; a NaN is greater than all.
SWAVD_HOST_DEVICE inline float greater_of(float a, float b) {
  return a > b || a != a ? a : b;
}

}  // namespace swavd::trainer
