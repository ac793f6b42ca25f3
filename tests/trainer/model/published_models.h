#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "trainer/options.h"

namespace swavd::trainer {

/// A trunk and the counts that its authors or the libraries publish for it.
struct PublishedTrunk {
  std::string name;
  TrunkOptions options;
  std::int64_t parameters = 0;       ///< of the trunk without classifier
  std::int64_t with_classifier = 0;  ///< and a linear layer to 1000 classes
  std::int64_t state_keys = 0;       ///< statistics and counters included
  std::vector<std::int64_t> stages;  ///< of each stage; empty: not published
};

inline void PrintTo(const PublishedTrunk& trunk, std::ostream* out) {
  *out << trunk.name;
}

/// RegNetY by ClassyVision's widths, which SEER used.
[[nodiscard]] std::vector<PublishedTrunk> published_regnet_y();

/// RegNetX by ClassyVision's widths.
[[nodiscard]] std::vector<PublishedTrunk> published_regnet_x();

/// ResNets and ResNeXts of torchvision, and SwAV's wide ones.
[[nodiscard]] std::vector<PublishedTrunk> published_resnets();

/// A model of SEER or SwAV with its head.
struct PublishedModel {
  std::string name;
  TrunkOptions trunk;
  HeadOptions head;
  std::int64_t projection = 0;  ///< parameters of the head
  std::int64_t with_prototypes = 0;
  std::int64_t whole = 0;
};

inline void PrintTo(const PublishedModel& model, std::ostream* out) {
  *out << model.name;
}

[[nodiscard]] std::vector<PublishedModel> published_models();

}  // namespace swavd::trainer
