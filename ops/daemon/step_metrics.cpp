#include "ops/daemon/step_metrics.h"

#include <chrono>

#include <fmt/format.h>

#include "ops/base/log.h"

namespace swavd::daemon {

namespace {

using metrics::Id;

double to_seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

void show(
    metrics::Registry& registry,
    const char* stage,
    const QueueStats& queue) {
  registry.set(Id::kQueueItems, static_cast<double>(queue.depth), {stage});
  registry.set(
      Id::kQueueCapacity, static_cast<double>(queue.capacity), {stage});
  registry.raise_to(
      Id::kPipelineWait, to_seconds(queue.consumer_wait), {stage, "input"});
  registry.raise_to(
      Id::kPipelineWait, to_seconds(queue.producer_wait), {stage, "output"});
}

}  // namespace

void observe_phases(
    metrics::Registry& registry,
    const loader::Batch& batch,
    const trainer::StepReport& report,
    double data_wait) {
  registry.observe(Id::kTrainStepDuration, data_wait, {"data_wait"});
  registry.observe(Id::kTrainStepDuration, report.phases.forward, {"forward"});
  registry.observe(
      Id::kTrainStepDuration, report.phases.sinkhorn, {"sinkhorn"});
  registry.observe(
      Id::kTrainStepDuration, report.phases.backward, {"backward"});
  registry.observe(
      Id::kTrainStepDuration, report.phases.optimizer, {"optimizer"});
  registry.add(Id::kDecodeSeconds, batch.decode_seconds);
  registry.add(Id::kRenderSeconds, batch.render_seconds);
}

void observe_precision(
    metrics::Registry& registry,
    const trainer::StepReport& report) {
  registry.set(Id::kTrainLossScale, report.loss_scale);
  registry.set(Id::kTrainMemoryPeak, static_cast<double>(report.peak_bytes));
  if (report.overflows == 0) {
    return;
  }
  registry.add(Id::kTrainOverflows, report.overflows);
  log(LogLevel::kInfo,
      "overflow",
      fmt::format(
          "fp16 gradients overflowed: the step was tried {} times, the loss "
          "scale is {:g}",
          report.overflows + 1,
          report.loss_scale));
}

void observe_trust_ratios(
    metrics::Registry& registry,
    const trainer::StepReport& report) {
  if (!report.trust_ratios) {
    return;
  }
  registry.set(Id::kTrainTrustRatio, report.trust_ratios->p10, {"10"});
  registry.set(Id::kTrainTrustRatio, report.trust_ratios->p50, {"50"});
  registry.set(Id::kTrainTrustRatio, report.trust_ratios->p90, {"90"});
}

void observe_queues(
    metrics::Registry& registry,
    const loader::LoaderStats& stats) {
  show(registry, "records", stats.records);
  show(registry, "batches", stats.batches);
  registry.set(Id::kInflightBytes, static_cast<double>(stats.inflight_bytes));
}

}  // namespace swavd::daemon
