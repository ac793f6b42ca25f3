#include "ops/daemon/evaluate_classifier.h"

#include <utility>

#include <fmt/format.h>

#include "ops/daemon/classifier_run.h"
#include "ops/daemon/labelled_images.h"
#include "ops/daemon/options.h"
#include "state/snapshot_ref.h"
#include "trainer/fine_tune.h"
#include "trainer/probe.h"

namespace swavd::daemon {

namespace {

using trainer::ProtocolHead;
using trainer::ProtocolKind;

/// Makes what a protocol trains, trains it, tests it.
Result<ClassifierReport> run_protocol(
    const service::Config& config,
    const ClassifierQuery& query,
    LabelledImages& images,
    state::SnapshotReader& snapshot,
    const ImageProgress& progress) {
  const trainer::TrainerOptions model = trainer_options(config);
  ClassifierRun run(config, query, images, progress);
  if (query.protocol.kind == ProtocolKind::kLinear) {
    trainer::ProbeOptions options;
    options.classes = images.classes.count();
    options.image_size = model.eval_size;
    options.seed = query.seed;
    options.set = query.protocol.head == ProtocolHead::kPooled
                      ? trainer::ProbeSet::kPooled
                      : trainer::ProbeSet::kLayers;
    options.sgd = query.protocol.sgd;
    auto probes = trainer::make_probe_trainer(model, snapshot, options);
    if (!probes.ok()) {
      return probes.error();
    }
    SWAVD_RETURN_IF_ERROR(
        query.cached ? run.train_cached(*probes.value())
                     : run.train(*probes.value()));
    return run.test(*probes.value());
  }
  trainer::FineTuneOptions options;
  options.classes = images.classes.count();
  options.seed = query.seed;
  options.head = query.protocol.head == ProtocolHead::kProjection
                     ? trainer::FineTuneHead::kProjection
                     : trainer::FineTuneHead::kPooled;
  options.sgd = query.protocol.sgd;
  auto tuner = trainer::make_fine_tuner(model, snapshot, options);
  if (!tuner.ok()) {
    return tuner.error();
  }
  SWAVD_RETURN_IF_ERROR(run.train(*tuner.value()));
  return run.test(*tuner.value());
}

}  // namespace

Result<ClassifierReport> eval_classifier(
    const std::string& ref,
    const ClassifierQuery& query,
    const ImageProgress& progress) {
  auto images = list_images(query);
  if (!images.ok()) {
    return images.error();
  }
  auto opened = state::open_snapshot(ref);
  if (!opened.ok()) {
    return opened.error();
  }
  state::SnapshotReader& snapshot = *opened.value().reader;
  auto config = service::parse_lineage(snapshot.manifest().config_toml);
  if (!config.ok()) {
    return config.error().with_context("snapshot " + snapshot.id());
  }
  if (config.value().model.trainer != "torch") {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "snapshot {} is of a run with model.trainer = \"{}\": it has no "
            "features",
            snapshot.id(),
            config.value().model.trainer)};
  }
  auto report =
      run_protocol(config.value(), query, images.value(), snapshot, progress);
  if (report.ok()) {
    report.value().snapshot_id = snapshot.id();
  }
  return report;
}

}  // namespace swavd::daemon
