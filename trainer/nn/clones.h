#pragma once

// One copy of a function for every instruction set worth having; the program
// picks at start.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SWAVD_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "fma", "default")))
#else
#define SWAVD_CLONES
#endif
