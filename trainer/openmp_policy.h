#pragma once

namespace swavd::trainer {

/// Lets LibTorch's idle worker threads go to sleep after some microseconds
/// instead of spinning for milliseconds. Decoders share the cores with the
/// step, and a spinning thread keeps the one it waits for from running.
/// Measured on two cores, RegNetY-200MF, batch 128: alone 0.50 s a step either
/// way; beside one busy process 0.95 s instead of 2.1 s; beside compilers 4 s
/// instead of 22 s. (OMP_WAIT_POLICY=passive, no spinning at all: 0.60 s
/// alone, 0.88 s beside one busy process.)
///
/// The OpenMP runtime reads its settings when it is loaded, before `main`. So
/// this, to be called first in `main`, starts the program anew in the same
/// process with GOMP_SPINCOUNT=1000 and does not return. It does nothing when
/// GOMP_SPINCOUNT or OMP_WAIT_POLICY is set already (by the user or by this
/// function), when the program cannot be started anew, or in a build without
/// LibTorch.
void prefer_sleeping_threads(char** argv);

}  // namespace swavd::trainer
