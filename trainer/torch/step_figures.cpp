#include "trainer/torch/step_figures.h"

#include <cmath>
#include <vector>

#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/std.h>
#include <c10/core/GradMode.h>

namespace swavd::trainer {

namespace {

constexpr std::int64_t kReportedEmbeddings = 16;

/// Every so many rows of `rows` that at most `most` are left.
at::Tensor spread_rows(const at::Tensor& rows, std::int64_t most) {
  const std::int64_t stride = (rows.size(0) + most - 1) / most;
  return rows.slice(0, 0, rows.size(0), stride);
}

}  // namespace

void read_figures(
    const StepFigures& figures,
    DeviceReader* reader,
    StepReport& report) {
  const at::NoGradGuard no_grad;
  // Doubles hold each of them exactly, prototype numbers too.
  const auto flat = [](const at::Tensor& values) {
    return values.detach().to(at::kDouble).flatten();
  };
  std::vector<at::Tensor> parts = {
      flat(figures.loss),
      flat(figures.grad_norm),
      flat(figures.embeddings.std(0, /*unbiased=*/false).mean()),
      flat(figures.scores.argmax(1)),
      flat(spread_rows(figures.embeddings, kReportedEmbeddings))};
  const std::int64_t embedded = parts.back().numel();
  if (figures.trust_ratios.defined()) {
    parts.push_back(flat(figures.trust_ratios));
  }
  const at::Tensor fetched = on_host(at::cat(parts), reader);
  const auto* next = fetched.const_data_ptr<double>();
  report.loss = *next++;
  report.grad_norm = *next++;
  report.feature_std = *next++;
  const std::int64_t images = figures.scores.size(0);
  report.top_prototypes.resize(static_cast<std::size_t>(images));
  for (std::int32_t& prototype : report.top_prototypes) {
    prototype = static_cast<std::int32_t>(*next++);
  }
  report.embeddings.resize(static_cast<std::size_t>(embedded));
  for (float& value : report.embeddings) {
    value = static_cast<float>(*next++);
  }
  if (figures.trust_ratios.defined() && !std::isnan(next[0])) {
    report.trust_ratios = TrustRatios{next[0], next[1], next[2]};
  }
}

}  // namespace swavd::trainer
