#pragma once

namespace swavd::trainer {

/// Lets LibTorch's idle worker threads sleep instead of spin. While decoders
/// share the cores with a step of two or more threads, spinning makes it many
/// times slower (measured: 22 s instead of 3.5 s a step on two cores that
/// were shared with compilers).
///
/// OpenMP reads its settings when it is loaded, before `main`. So this, to be
/// called first in `main`, starts the program anew in the same process with
/// OMP_WAIT_POLICY=passive and does not return. It does nothing when the
/// variable is set already (by the user or by this function), when the program
/// cannot be started anew, or in a build without LibTorch.
void prefer_sleeping_threads(char** argv);

}  // namespace swavd::trainer
