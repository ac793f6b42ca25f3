#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/e2e/process.h"
#include "tests/e2e/tensor_files.h"

namespace swavd::e2e {

/// A run of tests/golden/trainer/steps: one of its configurations with or
/// without BatchNorm in the head, with the prototypes free or frozen for three
/// steps.
struct GoldenRun {
  std::string configuration;  ///< "four-stages"
  bool batch_norm = true;
  bool frozen = false;

  /// The golden file's name without its ending.
  [[nodiscard]] std::string file() const {
    return configuration + (batch_norm ? "" : "-plain");
  }
};

/// "four-stages-plain, frozen", for messages.
std::ostream& operator<<(std::ostream& out, const GoldenRun& run);

/// Path of a file of tests/golden/trainer/steps.
[[nodiscard]] std::string golden_steps_path(const std::string& name);

/// `swavd init` of the run's configuration into `folder`.
[[nodiscard]] Finished init_golden(
    const GoldenRun& run,
    const std::string& folder);

/// The crops of step `step` (from 0), as the script beside the golden files
/// draws them: noise around a colour that all crops of an image share.
[[nodiscard]] std::vector<CropTensor> golden_crops(
    const GoldenRun& run,
    int step);

/// `swavd replay-step`.
[[nodiscard]] Finished replay(
    const std::string& snapshot,
    const std::string& crops,
    const std::string& out);

}  // namespace swavd::e2e
