#include "trainer/protocols.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace swavd::trainer {

namespace {

constexpr double kBatch = 256;  // what the rates are for

/// VISSL's linear protocols: Nesterov, BatchNorm not decayed.
Protocol vissl_linear(
    std::string name,
    std::int32_t epochs,
    std::vector<std::int32_t> milestones) {
  Protocol protocol;
  protocol.name = std::move(name);
  protocol.epochs = epochs;
  protocol.rate = 0.01;
  protocol.milestones = std::move(milestones);
  protocol.sgd.weight_decay = 5e-4;
  protocol.sgd.nesterov = true;
  protocol.sgd.decay_norms = false;
  return protocol;
}

std::vector<Protocol> linear_protocols() {
  Protocol swav;
  swav.name = "swav";
  swav.head = ProtocolHead::kPooled;
  swav.epochs = 100;
  swav.rate = 0.3;
  swav.cosine = true;
  swav.sgd.weight_decay = 1e-6;
  return {
      vissl_linear("vissl-in1k", 28, {8, 16, 24}),
      vissl_linear("vissl-100", 100, {28, 56, 84}),
      std::move(swav),
      vissl_linear("places205", 14, {4, 8, 12}),
      vissl_linear("inat18", 84, {24, 48, 72})};
}

/// The SwAV repository's, whose rates were found for one share of the labels.
Protocol swav_low_shot(double fraction, double trunk, double head) {
  Protocol protocol;
  protocol.name = "swav";
  protocol.kind = ProtocolKind::kLowShot;
  protocol.head = ProtocolHead::kPooled;
  protocol.epochs = 20;
  protocol.rate = trunk;
  protocol.head_rate = head;
  protocol.milestones = {12, 16};
  protocol.factor = 0.2;
  protocol.fraction = fraction;
  return protocol;
}

std::vector<Protocol> low_shot_protocols() {
  Protocol vissl;
  vissl.name = "vissl";
  vissl.kind = ProtocolKind::kLowShot;
  vissl.head = ProtocolHead::kProjection;
  vissl.epochs = 70;
  vissl.rate = 0.05;
  vissl.milestones = {30};
  vissl.sgd.nesterov = true;
  vissl.sgd.decay_norms = false;
  return {
      std::move(vissl),
      swav_low_shot(0.01, 0.02, 5),
      swav_low_shot(0.1, 0.01, 0.2)};
}

Protocol fine_tune(std::string name, std::int32_t epochs, double rate) {
  Protocol protocol;
  protocol.name = std::move(name);
  protocol.kind = ProtocolKind::kFineTune;
  protocol.head = ProtocolHead::kPooled;
  protocol.epochs = epochs;
  protocol.rate = rate;
  return protocol;
}

std::vector<Protocol> fine_tune_protocols() {
  Protocol vissl = fine_tune("vissl", 105, 0.1);
  vissl.milestones = {30, 60, 90, 100};
  vissl.sgd.nesterov = true;
  Protocol cosine = fine_tune("vissl-cosine", 100, 0.25);
  cosine.cosine = true;
  cosine.cosine_by_step = true;
  cosine.end_rate = 5e-7;
  cosine.sgd.nesterov = true;
  cosine.sgd.decay_norms = false;
  cosine.sgd.decay_biases = false;
  Protocol seer = fine_tune("seer", 35, 0.0125);
  seer.milestones = {30};
  seer.sgd.weight_decay = 1e-4;
  return {std::move(vissl), std::move(cosine), std::move(seer)};
}

/// What the rate is multiplied by; cosine: without the end's share.
double factor_at(const Protocol& protocol, std::int32_t epochs, double share) {
  if (!protocol.cosine) {
    const auto passed = std::count_if(
        protocol.milestones.begin(),
        protocol.milestones.end(),
        [epochs](std::int32_t milestone) { return milestone <= epochs; });
    return std::pow(protocol.factor, static_cast<double>(passed));
  }
  constexpr double kPi = 3.14159265358979323846;
  const double done = epochs + (protocol.cosine_by_step ? share : 0.0);
  return 0.5 * (1.0 + std::cos(kPi * done / protocol.epochs));
}

bool same_fraction(double a, double b) {
  constexpr double kTolerance = 1e-9;
  return std::abs(a - b) < kTolerance;
}

}  // namespace

std::string_view to_string(ProtocolKind kind) {
  switch (kind) {
    case ProtocolKind::kLinear:
      return "linear";
    case ProtocolKind::kLowShot:
      return "low-shot";
    case ProtocolKind::kFineTune:
      break;
  }
  return "finetune";
}

std::vector<Protocol> protocols(ProtocolKind kind) {
  switch (kind) {
    case ProtocolKind::kLinear:
      return linear_protocols();
    case ProtocolKind::kLowShot:
      return low_shot_protocols();
    case ProtocolKind::kFineTune:
      break;
  }
  return fine_tune_protocols();
}

Result<Protocol>
find_protocol(ProtocolKind kind, std::string_view name, double fraction) {
  std::vector<std::string> names;
  std::vector<double> fractions;  // that `name` is published for
  for (Protocol& protocol : protocols(kind)) {
    if (protocol.name == name) {
      if (protocol.fraction == 0 ||
          same_fraction(protocol.fraction, fraction)) {
        return std::move(protocol);
      }
      fractions.push_back(protocol.fraction);
    }
    if (std::find(names.begin(), names.end(), protocol.name) == names.end()) {
      names.push_back(protocol.name);
    }
  }
  if (!fractions.empty()) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "the {} protocol {} has rates for a fraction of {}, not of {}: "
            "take one of these or another protocol",
            to_string(kind),
            name,
            fmt::join(fractions, " or "),
            fraction)};
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "there is no {} protocol \"{}\": write {}",
          to_string(kind),
          name,
          fmt::join(names, ", "))};
}

Protocol with_epochs(Protocol protocol, std::int32_t epochs) {
  for (std::int32_t& milestone : protocol.milestones) {
    milestone = static_cast<std::int32_t>(std::nearbyint(
        static_cast<double>(milestone) * epochs / protocol.epochs));
  }
  protocol.epochs = epochs;
  return protocol;
}

StepRates
rates_at(const Protocol& protocol, std::int32_t epochs, double share) {
  const double factor = factor_at(protocol, epochs, share);
  const double end = protocol.cosine ? protocol.end_rate : 0.0;
  const auto rate = [&](double per_256) {
    const double peak = per_256 * protocol.batch / kBatch;
    return end + (peak - end) * factor;
  };
  return {
      rate(protocol.rate),
      rate(protocol.head_rate > 0 ? protocol.head_rate : protocol.rate)};
}

}  // namespace swavd::trainer
