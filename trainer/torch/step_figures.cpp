#include "trainer/torch/step_figures.h"

#include <cmath>
#include <vector>

#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/std.h>
#include <c10/core/GradMode.h>

namespace swavd::trainer {

void read_figures(const StepFigures& figures, StepReport& report) {
  const at::NoGradGuard no_grad;
  // Doubles hold each of them exactly, prototype numbers too.
  const auto flat = [](const at::Tensor& values) {
    return values.detach().to(at::kDouble).flatten();
  };
  std::vector<at::Tensor> parts = {
      flat(figures.loss),
      flat(figures.grad_norm),
      flat(figures.embeddings.std(0, /*unbiased=*/false).mean()),
      flat(figures.scores.argmax(1))};
  if (figures.trust_ratios.defined()) {
    parts.push_back(flat(figures.trust_ratios));
  }
  const at::Tensor fetched = at::cat(parts).to(at::kCPU);
  const auto* next = fetched.const_data_ptr<double>();
  report.loss = *next++;
  report.grad_norm = *next++;
  report.feature_std = *next++;
  const std::int64_t images = figures.scores.size(0);
  report.top_prototypes.resize(static_cast<std::size_t>(images));
  for (std::int32_t& prototype : report.top_prototypes) {
    prototype = static_cast<std::int32_t>(*next++);
  }
  if (figures.trust_ratios.defined() && !std::isnan(next[0])) {
    report.trust_ratios = TrustRatios{next[0], next[1], next[2]};
  }
}

}  // namespace swavd::trainer
