#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/base/result.h"
#include "trainer/classifier.h"

namespace swavd::trainer {

/// What a protocol trains.
enum class ProtocolKind {
  kLinear,    ///< probes on a frozen trunk
  kLowShot,   ///< the whole network, on a small share of the labels
  kFineTune,  ///< the whole network, on all labels
};

/// "linear", "low-shot", "finetune".
[[nodiscard]] std::string_view to_string(ProtocolKind kind);

/// What stands on the trunk.
enum class ProtocolHead {
  kLayers,      ///< probes on the last two stages and the pooled features
  kPooled,      ///< one linear layer on the pooled features
  kProjection,  ///< SwAV's first projection layer, BatchNorm, ReLU, linear
};

/// A published recipe for turning features into a figure. Rates are for 256
/// images a step and scale linearly.
struct Protocol {
  std::string name;
  ProtocolKind kind = ProtocolKind::kLinear;
  ProtocolHead head = ProtocolHead::kLayers;
  std::int32_t epochs = 1;
  std::int32_t batch = 256;  ///< images a step
  double rate = 0;           ///< of the head, and of the trunk where it learns
  double head_rate = 0;      ///< of the head where it differs; 0: `rate`
  bool cosine = false;       ///< else `factor` at each milestone
  double end_rate = 0;       ///< cosine: at the end; not scaled
  bool cosine_by_step = false;           ///< else by epoch
  std::vector<std::int32_t> milestones;  ///< epochs done, ascending
  double factor = 0.1;
  SgdOptions sgd;
  double fraction = 0;  ///< low-shot: of the labels it is meant for; 0: any
};

/// All of one kind, the default first. Sources: VISSL's configurations and the
/// scripts of the SwAV repository.
[[nodiscard]] std::vector<Protocol> protocols(ProtocolKind kind);

/// One by its name. `fraction`: of a low-shot evaluation, else 0. Errors:
/// kInvalidArgument naming those there are, or that this one is not published
/// for the fraction.
[[nodiscard]] Result<Protocol>
find_protocol(ProtocolKind kind, std::string_view name, double fraction);

/// The protocol over another number of epochs: its milestones keep their share
/// of the whole.
[[nodiscard]] Protocol with_epochs(Protocol protocol, std::int32_t epochs);

/// The rates of a step when `epochs` are done and `share` ([0, 1)) of the next.
[[nodiscard]] StepRates
rates_at(const Protocol& protocol, std::int32_t epochs, double share);

}  // namespace swavd::trainer
