#pragma once

#include <cstdint>

#include "ops/base/result.h"

namespace swavd::loader {

/// Takes from the calling process, for good, whatever decoding does not need:
///
///   - files: none can be opened (Landlock, where the kernel has it, and
///     seccomp), none written;
///   - network, other processes, new programs (seccomp: any call that is not on
///     the list kills the process; memory cannot be made executable);
///   - memory beyond `memory_bytes` of address space, core dumps, new
///     descriptors and children (rlimits), privileges.
///
/// What is open stays open, but for standard error. The process must have one
/// thread. In a build with a sanitizer, whose reports need most of this, only
/// the limits but the one on memory are set. Errors: kUnavailable, and then
/// what was taken is undefined.
[[nodiscard]] Status enter_sandbox(std::uint64_t memory_bytes);

}  // namespace swavd::loader
