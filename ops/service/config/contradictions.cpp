#include "ops/service/config/contradictions.h"

#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "ingest/streams.h"
#include "ops/service/config/secrets.h"
#include "ops/service/config/swav_checks.h"
#include "ops/service/config/trunk_keys.h"
#include "ops/service/net/endpoint.h"

namespace swavd::service {
namespace {

using Found = std::vector<Contradiction>;

// `high` must not be below `low`; both as "section.key".
void expect_order(
    Found& found,
    std::string_view low,
    double low_value,
    std::string_view high,
    double high_value) {
  if (low_value > high_value) {
    found.push_back(
        {{low, high},
         fmt::format("{} is above {} = {}", low_value, high, high_value)});
  }
}

void check_schedule(const ScheduleConfig& schedule, Found& found) {
  const double rate = schedule.learning_rate;
  constexpr std::string_view kRate = "schedule.learning_rate";
  if (schedule.warmup_images > 0) {
    expect_order(
        found, "schedule.warmup_start", schedule.warmup_start, kRate, rate);
  }
  if (schedule.kind == "fixed-then-halving") {
    expect_order(found, "schedule.floor", schedule.floor, kRate, rate);
  }
  if (schedule.kind != "cosine") {
    return;
  }
  expect_order(
      found,
      "schedule.end_learning_rate",
      schedule.end_learning_rate,
      kRate,
      rate);
  if (schedule.total_images == 0) {
    found.push_back(
        {{"schedule.kind", "schedule.total_images"},
         "cosine needs an end: set schedule.total_images, or take "
         "fixed-then-halving"});
  } else if (schedule.warmup_images >= schedule.total_images) {
    found.push_back(
        {{"schedule.warmup_images", "schedule.total_images"},
         fmt::format(
             "{} leaves nothing of schedule.total_images = {}",
             schedule.warmup_images,
             schedule.total_images)});
  }
}

void check_loader(const LoaderConfig& loader, Found& found) {
  expect_order(
      found,
      "loader.blur_sigma_min",
      loader.blur_sigma_min,
      "loader.blur_sigma_max",
      loader.blur_sigma_max);
  expect_order(
      found,
      "loader.eval_size",
      static_cast<double>(loader.eval_size),
      "loader.eval_resize",
      static_cast<double>(loader.eval_resize));
  if (loader.decode_fidelity > 0 && loader.decode_fidelity < 1) {
    found.push_back(
        {{"loader.decode_fidelity"},
         fmt::format(
             "{} would enlarge crops that were large enough: write 1 or more, "
             "or 0 for decoding at full size",
             loader.decode_fidelity)});
  }
  if (loader.crops.empty()) {
    found.push_back(
        {{"loader.crops"}, "is missing: name a model.preset or set it"});
  }
}

void check_precision(const Config& config, Found& found) {
  const std::int64_t groups = config.precision.checkpoint_groups;
  const bool resnet = config.model.trunk == "resnet";
  const std::vector<std::int64_t>& depths = config.model.stage_depths;
  const std::int64_t blocks =
      resnet ? std::accumulate(depths.begin(), depths.end(), std::int64_t{0})
             : config.model.depth;
  if (groups == 1) {
    found.push_back(
        {{"precision.checkpoint_groups"},
         "one group would keep all its activations: write 0 for off, or at "
         "least 2"});
  } else if (groups > blocks) {
    const char* key = resnet ? "model.stage_depths" : "model.depth";
    found.push_back(
        {{"precision.checkpoint_groups", key},
         fmt::format(
             "{} is more than the {} blocks of the trunk ({})",
             groups,
             blocks,
             key)});
  }
}

void check_stream(const StreamConfig& stream, Found& found) {
  for (const auto& [property, value] : stream.client) {
    if (is_secret(property)) {
      found.push_back(
          {{"stream.client"},
           fmt::format(
               "{0} is a secret: put it into a file and write \"{0}_file\" = "
               "\"/PATH\"",
               property)});
    }
  }
  const auto url = ingest::parse_stream_url(stream.url);
  if (url.ok() && url.value().kind == ingest::StreamUrl::Kind::kLog &&
      !stream.client.empty()) {
    found.push_back(
        {{"stream.client", "stream.url"},
         "is for Kafka; stream.url names an embedded stream"});
  }
}

/// Readers publish their position with each snapshot, and writers wait for it:
/// the records up to the next snapshot have to fit in between.
void check_ahead(const Config& config, Found& found) {
  const auto url = ingest::parse_stream_url(config.stream.url);
  const std::uint64_t ahead = config.stream.max_ahead_records;
  const bool by_steps_alone =
      config.snapshot.every_steps > 0 && config.snapshot.every_seconds == 0;
  if (ahead == 0 || !by_steps_alone ||
      (url.ok() && url.value().kind != ingest::StreamUrl::Kind::kLog)) {
    return;
  }
  const auto batch = static_cast<std::uint64_t>(config.loader.batch_images);
  const std::uint64_t steps = config.snapshot.every_steps;
  // steps * batch >= ahead; the product might not fit.
  if (steps >= (ahead - 1) / batch + 1) {
    found.push_back(
        {{"stream.max_ahead_records",
          "snapshot.every_steps",
          "loader.batch_images"},
         fmt::format(
             "{} is not above what is trained between two snapshots, {} steps "
             "of {} images: writers and the trainer would wait for each other; "
             "raise it, or lower snapshot.every_steps, or set snapshot.every",
             ahead,
             steps,
             batch)});
  }
}

/// One lost renewal, or two, must not cost the run.
void check_lease(const LeaseConfig& lease, Found& found) {
  constexpr std::uint64_t kBeats = 3;
  if (lease.expiry_ms < kBeats * lease.heartbeat_ms) {
    found.push_back(
        {{"lease.expiry", "lease.heartbeat"},
         fmt::format(
             "{} ms are less than {} heartbeats of {} ms",
             lease.expiry_ms,
             kBeats,
             lease.heartbeat_ms)});
  }
}

void check_probe(const Config& config, Found& found) {
  const ProbeConfig& probe = config.probe;
  if (probe.train.empty() && probe.test.empty()) {
    return;
  }
  if (probe.train.empty() || probe.test.empty()) {
    found.push_back(
        {{"probe.train", "probe.test"},
         "a probe needs both: images with labels to learn from and others to "
         "ask for"});
  }
  if (config.model.trainer == "ledger") {
    found.push_back(
        {{"probe.train", "model.trainer"},
         "a ledger has no features to probe: leave [probe] out, or take the "
         "trainer torch"});
  }
}

void check_model(const ModelConfig& model, Found& found) {
  if (model.trainer == "ledger" && !model.init_from.empty()) {
    found.push_back(
        {{"model.init_from", "model.trainer"},
         "a ledger has no weights to begin with: leave it out, or set "
         "model.trainer = \"torch\""});
  }
}

void check_addresses(const Config& config, Found& found) {
  const auto page = parse_endpoint(config.http.listen);
  const auto probes = parse_endpoint(config.metrics.listen);
  if (page.ok() && probes.ok() && page.value().port != 0 &&
      to_string(page.value()) == to_string(probes.value())) {
    found.push_back(
        {{"metrics.listen", "http.listen"},
         fmt::format(
             "{} is http.listen already: leave it out or take another port",
             config.metrics.listen)});
  }
}

}  // namespace

std::vector<Contradiction> find_contradictions(const Config& config) {
  Found found;
  check_stream(config.stream, found);
  check_loader(config.loader, found);
  check_model(config.model, found);
  check_trunk_keys(config, found);
  check_swav(config, found);
  check_schedule(config.schedule, found);
  check_precision(config, found);
  check_ahead(config, found);
  check_lease(config.lease, found);
  check_addresses(config, found);
  check_probe(config, found);
  if (config.snapshot.every_steps == 0 && config.snapshot.every_seconds == 0) {
    found.push_back(
        {{"snapshot.every", "snapshot.every_steps"},
         "both cadences are off: set snapshot.every or snapshot.every_steps"});
  }
  return found;
}

}  // namespace swavd::service
