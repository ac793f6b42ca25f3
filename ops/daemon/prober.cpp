#include "ops/daemon/prober.h"

#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ops/base/log.h"
#include "ops/daemon/idle_child.h"

namespace swavd::daemon {

namespace {

using metrics::Id;

constexpr double kPercent = 100.0;

/// What `swavd eval knn --json` printed. Errors: kCorruption.
Result<ProbeFigures> read_report(const std::string& text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*exceptions=*/false);
  ProbeFigures figures;
  try {
    figures.top1 = json.at("top1").get<double>();
    figures.standard_error = json.at("standard_error").get<double>();
    figures.pixels_top1 = json.at("pixels_top1").get<double>();
    figures.bank = json.at("bank").get<std::uint64_t>();
    figures.queries = json.at("queries").get<std::uint64_t>();
  } catch (const nlohmann::json::exception& error) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format("its output is no report: {}", error.what())};
  }
  return figures;
}

/// The last line of what a program wrote to standard error.
std::string last_line(std::string text) {
  while (text.ends_with('\n')) {
    text.pop_back();
  }
  const std::size_t line = text.rfind('\n');
  return line == std::string::npos ? text : text.substr(line + 1);
}

/// Why a child gave no figure.
struct Trouble {
  std::string_view reason;  ///< the word in the log and in the counter
  std::string what;
};

std::optional<Trouble> trouble_of(
    const ChildOutcome& outcome,
    std::chrono::milliseconds limit) {
  switch (outcome.end) {
    case ChildEnd::kTimedOut:
      return Trouble{
          "probe_timeout",
          fmt::format(
              "took longer than probe.time_limit ({} s): raise it, or lower "
              "probe.bank and probe.queries",
              std::chrono::duration_cast<std::chrono::seconds>(limit).count())};
    case ChildEnd::kSignalled:
      return Trouble{
          "probe_killed", fmt::format("ended by signal {}", outcome.status)};
    case ChildEnd::kExited:
    case ChildEnd::kStopped:
      break;
  }
  if (outcome.end == ChildEnd::kExited && outcome.status != 0) {
    return Trouble{
        "probe_failed",
        fmt::format(
            "exited with status {}: {}",
            outcome.status,
            last_line(outcome.err))};
  }
  return std::nullopt;
}

}  // namespace

Prober::Prober(
    const Clock& clock,
    metrics::Registry& registry,
    ProberOptions options,
    std::function<void(const ProbeFigures&)> on_figures)
    : clock_(clock),
      registry_(registry),
      options_(std::move(options)),
      on_figures_(std::move(on_figures)),
      stage_("probe", [this](const std::stop_token& stop) { loop(stop); }) {}

void Prober::committed(
    const std::string& id,
    std::uint64_t commit,
    std::uint64_t step) {
  if (commit % options_.every != 0) {
    return;
  }
  bool superseded = false;
  {
    const MutexLock lock(mutex_);
    superseded = next_.has_value();
    next_ = Job{id, step};
  }
  wanted_.notify_all();
  if (superseded) {
    registry_.add(Id::kProbeSuperseded);
  }
}

void Prober::stop() {
  stage_.request_stop();
  stage_.join();
}

void Prober::loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::optional<Job> job;
    {
      const MutexLock lock(mutex_);
      (void)wanted_.wait(mutex_, stop, [this]() SWAVD_REQUIRES(mutex_) {
        return next_.has_value();
      });
      job = std::exchange(next_, std::nullopt);
    }
    if (job && !stop.stop_requested()) {
      probe(*job, stop);
    }
  }
}

void Prober::failed(std::string_view reason, const std::string& what) {
  registry_.add(Id::kProbeFailures, 1, {reason});
  log(LogLevel::kWarning, reason, "probe: " + what);
}

void Prober::probe(const Job& job, const std::stop_token& stop) {
  const auto begun = clock_.steady();
  const auto child = run_idle_child(
      options_.program,
      {"eval",
       "knn",
       "--snapshot",
       fmt::format("{}@{}", options_.place, job.id),
       "--train",
       options_.train,
       "--test",
       options_.test,
       "--bank",
       std::to_string(options_.bank),
       "--queries",
       std::to_string(options_.queries),
       "--json"},
      options_.time_limit,
      stop);
  if (!child.ok()) {
    failed("probe_start", child.error().message);
    return;
  }
  if (child.value().end == ChildEnd::kStopped) {
    return;
  }
  const std::string snapshot = fmt::format("snapshot {}: ", job.id);
  if (const auto trouble = trouble_of(child.value(), options_.time_limit)) {
    failed(trouble->reason, snapshot + trouble->what);
    return;
  }
  auto report = read_report(child.value().out);
  if (!report.ok()) {
    failed("probe_malformed", snapshot + report.error().message);
    return;
  }
  ProbeFigures figures = std::move(report).value();
  figures.snapshot_id = job.id;
  figures.step = job.step;
  figures.ended_ms = clock_.unix_ms();
  const std::chrono::duration<double> took = clock_.steady() - begun;
  registry_.observe(Id::kProbeDuration, took.count());
  show(figures);
}

void Prober::show(const ProbeFigures& figures) {
  registry_.set(Id::kProbeTop1, figures.top1 / kPercent);
  registry_.set(Id::kProbeError, figures.standard_error / kPercent);
  registry_.set(Id::kProbePixels, figures.pixels_top1 / kPercent);
  registry_.set(Id::kProbeStep, static_cast<double>(figures.step));
  registry_.set(Id::kProbeLast, static_cast<double>(figures.ended_ms) / 1000.0);
  log(LogLevel::kInfo,
      "probed",
      fmt::format(
          "snapshot {}: kNN {:.2f} ± {:.2f} %, raw pixels {:.2f} %",
          figures.snapshot_id,
          figures.top1,
          figures.standard_error,
          figures.pixels_top1),
      {{"step", std::to_string(figures.step)}});
  on_figures_(figures);
}

}  // namespace swavd::daemon
