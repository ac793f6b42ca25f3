#include "trainer/model/check_options.h"

#include <cmath>
#include <string_view>
#include <variant>

#include <fmt/format.h>

#include "trainer/model/trunk_design.h"

namespace swavd::trainer {

namespace {

struct OptionRule {
  bool holds = false;
  std::string_view text;  ///< "head.prototypes must be at least 2"
};

}  // namespace

Status check_options(const TrainerOptions& options) {
  const HeadOptions& head = options.head;
  const SwavOptions& swav = options.swav;
  const OptimizerOptions& optimizer = options.optimizer;
  const std::int32_t groups = options.checkpoint_groups;
  const auto* regnet = std::get_if<RegNetOptions>(&options.trunk);
  bool hidden_positive = true;
  for (const std::int64_t width : head.hidden) {
    hidden_positive = hidden_positive && width > 0;
  }
  bool prototypes_enough = !head.prototypes.empty();
  for (const std::int64_t count : head.prototypes) {
    prototypes_enough = prototypes_enough && count >= 2;
  }
  const auto positive = [](double value) {
    return value > 0.0 && std::isfinite(value);
  };
  const OptionRule rules[] = {
      // Hugging Face's RegNet knows no other ratio, and a snapshot must open
      // there as it is.
      {regnet == nullptr || regnet->se_ratio == 0.25,
       "trunk.se_ratio must be 0.25"},
      {hidden_positive, "head.hidden must be positive widths"},
      {head.out > 0, "head.out must be positive"},
      {prototypes_enough,
       "head.prototypes must be one or more numbers of at least 2"},
      {positive(swav.temperature), "swav.temperature must be positive"},
      {positive(swav.epsilon), "swav.epsilon must be positive"},
      {swav.sinkhorn_iterations >= 1,
       "swav.sinkhorn_iterations must be at least 1"},
      {swav.assign_crops >= 1, "swav.assign_crops must be at least 1"},
      {swav.hard_assignment_steps >= SwavOptions::kAlways,
       "swav.hard_assignment_steps must be at least -1"},
      {swav.queue_images >= 0, "swav.queue_images must be at least 0"},
      {optimizer.momentum >= 0.0 && optimizer.momentum < 1.0,
       "optimizer.momentum must be in [0, 1)"},
      {optimizer.weight_decay >= 0.0 && std::isfinite(optimizer.weight_decay),
       "optimizer.weight_decay must be at least 0"},
      {positive(optimizer.trust), "optimizer.trust must be positive"},
      {options.ema >= 0.0 && options.ema < 1.0, "ema must be in [0, 1)"},
      {groups == 0 || (groups >= 2 && groups <= trunk_blocks(options.trunk)),
       "checkpoint_groups must be 0, or from 2 to the trunk's blocks"},
      {options.threads >= 0, "threads must be at least 0"},
      {options.eval_size > 0 && options.eval_resize >= options.eval_size,
       "eval_size must be positive and at most eval_resize"},
  };
  for (const OptionRule& rule : rules) {
    if (!rule.holds) {
      return Error{ErrorCode::kInvalidArgument, std::string(rule.text)};
    }
  }
  return ok_status();
}

}  // namespace swavd::trainer
