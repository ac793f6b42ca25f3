#pragma once

namespace swavd::trainer {

/// Lets LibTorch's idle worker threads go to sleep after some microseconds
/// instead of spinning for milliseconds. Decoders share the cores with the
/// step, and a spinning thread keeps the one it waits for from running; but one
/// that sleeps too soon is late for the next of a step's thousands of short
/// loops. Milliseconds a step on two cores, RegNetY-200MF, 32 images of 2x96 +
/// 4x48, by the turns of spinning (two runs alone, one beside a busy process):
///
///   1,000   488, 508   664
///   5,000   421, 468   790
///   20,000  370, 468   1143
///   100,000 436, 424   3068
///
/// The OpenMP runtime reads its settings when it is loaded, before `main`. So
/// this, to be called first in `main`, starts the program anew in the same
/// process with GOMP_SPINCOUNT=5000 and does not return. It does nothing when
/// GOMP_SPINCOUNT or OMP_WAIT_POLICY is set already (by the user or by this
/// function), when the program cannot be started anew, or in a build without
/// LibTorch.
void prefer_sleeping_threads(char** argv);

}  // namespace swavd::trainer
