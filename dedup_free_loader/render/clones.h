#pragma once

// Compiles a function once for each level of x86-64 and picks the fitting one
// when the program is loaded. Not under sanitizers: their runtimes are not up
// yet when the loader calls the picker.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SWAVD_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SWAVD_CLONES
#endif

/// For helpers of such a function: outside of it they would be compiled for
/// the lowest level only.
#define SWAVD_INLINE inline __attribute__((always_inline))

/// For functions written with AVX2's intrinsics, called where the CPU has it.
#if defined(__x86_64__)
#define SWAVD_AVX2 __attribute__((target("avx2")))
#endif
