#include "ops/daemon/options.h"

#include <algorithm>
#include <thread>

namespace swavd::daemon {

namespace {

std::array<double, 3> three(const std::vector<double>& values) {
  return {values[0], values[1], values[2]};
}

std::int32_t narrow(std::int64_t value) {
  return static_cast<std::int32_t>(value);
}

loader::AugmentOptions augment_options(const service::LoaderConfig& config) {
  loader::AugmentOptions augment;
  augment.flip_probability = config.flip_probability;
  augment.jitter_probability = config.jitter_probability;
  augment.jitter_strength = config.jitter_strength;
  augment.gray_probability = config.gray_probability;
  augment.blur_probability = config.blur_probability;
  augment.blur_sigma_min = config.blur_sigma_min;
  augment.blur_sigma_max = config.blur_sigma_max;
  augment.mean = three(config.mean);
  augment.std = three(config.std);
  return augment;
}

trainer::TrunkOptions trunk_options(const service::ModelConfig& config) {
  if (config.trunk == "resnet") {
    trainer::ResNetOptions resnet;
    resnet.block = config.block == "basic" ? trainer::ResNetBlock::kBasic
                                           : trainer::ResNetBlock::kBottleneck;
    resnet.depths = config.stage_depths;
    resnet.widen = config.widen;
    resnet.groups = config.groups;
    resnet.width_per_group = config.width_per_group;
    resnet.stem = config.stem == "cifar" ? trainer::ResNetStem::kCifar
                                         : trainer::ResNetStem::kImageNet;
    return resnet;
  }
  trainer::RegNetOptions regnet;
  regnet.type = config.trunk == "regnet_x" ? trainer::RegNetType::kX
                                           : trainer::RegNetType::kY;
  regnet.depth = narrow(config.depth);
  regnet.w0 = narrow(config.w0);
  regnet.wa = config.wa;
  regnet.wm = config.wm;
  regnet.group_width = narrow(config.group_width);
  regnet.se_ratio = config.se_ratio;
  regnet.stem_width = narrow(config.stem_width);
  return regnet;
}

trainer::SwavOptions swav_options(const service::Config& config) {
  const service::SwavConfig& from = config.swav;
  trainer::SwavOptions options;
  options.temperature = from.temperature;
  options.epsilon = from.epsilon;
  options.sinkhorn_iterations = narrow(from.sinkhorn_iterations);
  options.assign_crops = narrow(from.assign_crops);
  options.freeze_prototypes_steps =
      static_cast<std::uint64_t>(from.freeze_prototypes_steps);
  options.hard_assignment_steps = from.hard_assignment_steps;
  options.pass_per_crop = from.pass_per_crop;
  // The queue takes whole batches, and the trainer counts in them.
  const auto batch = static_cast<std::uint64_t>(config.loader.batch_images);
  options.queue_images =
      static_cast<std::int64_t>(from.queue_images / batch * batch);
  options.queue_start_steps = from.queue_start_images / batch +
                              (from.queue_start_images % batch == 0 ? 0 : 1);
  return options;
}

trainer::OptimizerKind optimizer_kind(const std::string& name) {
  if (name == "sgd") {
    return trainer::OptimizerKind::kSgd;
  }
  return name == "lars" ? trainer::OptimizerKind::kLars
                        : trainer::OptimizerKind::kLarc;
}

trainer::Precision precision(const std::string& name) {
  if (name == "fp16") {
    return trainer::Precision::kFloat16;
  }
  return name == "bf16" ? trainer::Precision::kBfloat16
                        : trainer::Precision::kFloat32;
}

}  // namespace

trainer::TrainerOptions trainer_options(const service::Config& config) {
  trainer::TrainerOptions options;
  options.seed = config.model.seed;
  options.trunk = trunk_options(config.model);
  options.head.hidden = config.model.head_hidden;
  options.head.out = config.model.head_out;
  options.head.batch_norm = config.model.head_batch_norm;
  options.head.prototypes = config.swav.prototypes;
  options.swav = swav_options(config);
  options.optimizer.kind = optimizer_kind(config.optimizer.kind);
  options.optimizer.momentum = config.optimizer.momentum;
  options.optimizer.weight_decay = config.optimizer.weight_decay;
  options.optimizer.trust = config.optimizer.trust;
  options.ema = config.model.ema;
  options.precision = precision(config.precision.compute);
  options.checkpoint_groups = narrow(config.precision.checkpoint_groups);
  options.threads = narrow(config.precision.threads);
  options.device = config.model.device;
  options.eval_resize = narrow(config.loader.eval_resize);
  options.eval_size = narrow(config.loader.eval_size);
  options.mean = three(config.loader.mean);
  options.std = three(config.loader.std);
  return options;
}

std::int32_t loader_workers(const service::Config& config) {
  if (config.loader.workers > 0) {
    return narrow(config.loader.workers);
  }
  const auto own = service::parse_cores(config.loader.cores);
  if (own.ok() && !own.value().empty()) {
    return narrow(static_cast<std::int64_t>(own.value().size()));
  }
  const auto cores =
      static_cast<std::int32_t>(std::thread::hardware_concurrency());
  return std::max(1, cores / 2);
}

loader::LoaderOptions loader_options(const service::Config& config) {
  loader::LoaderOptions options;
  options.seed = config.model.seed;
  options.batch_images = narrow(config.loader.batch_images);
  options.workers = loader_workers(config);
  options.prefetch_batches = narrow(config.loader.prefetch_batches);
  // Enough for every worker to have a next record.
  constexpr std::int32_t kRecordsPerWorker = 8;
  options.inflight_records = kRecordsPerWorker * options.workers;
  options.inflight_bytes = config.loader.inflight_bytes;
  options.order = config.loader.order == "round_robin"
                      ? loader::Order::kRoundRobin
                      : loader::Order::kArrival;
  options.shuffle_records = config.loader.shuffle_records;
  options.shuffle_bytes = config.loader.shuffle_bytes;
  options.shuffle_wait =
      std::chrono::milliseconds(config.loader.shuffle_wait_ms);
  if (config.model.trainer == "ledger") {
    // Nothing looks at the pixels: one small crop keeps the path the same.
    options.crops = {{.count = 1, .size = 8, .scale_min = 1, .scale_max = 1}};
  } else {
    for (const service::CropConfig& crop : config.loader.crops) {
      options.crops.push_back(
          {narrow(crop.count),
           narrow(crop.size),
           crop.scale_min,
           crop.scale_max});
    }
  }
  options.augment = augment_options(config.loader);
  options.decode_fidelity = config.loader.decode_fidelity;
  options.decode.limits.max_bytes = config.stream.max_record_bytes;
  options.decode.limits.max_pixels = config.loader.max_pixels;
  options.decode.exif_orientation = config.loader.exif_orientation;
  options.decode.color_profiles = config.loader.color_profiles;
  options.decode.fill_truncated = config.loader.truncated == "fill";
  if (config.loader.isolation == "process") {
    options.decode_helper = loader::helper_beside_us();
  }
  options.image_timeout =
      std::chrono::milliseconds(config.loader.image_timeout_ms);
  options.niceness = narrow(config.loader.niceness);
  const auto cores = service::parse_cores(config.loader.cores);
  SWAVD_CHECK(cores.ok());  // a checked configuration
  options.cores = cores.value();
  return options;
}

loader::LoaderOptions center_loader_options(const service::Config& config) {
  loader::LoaderOptions options = loader_options(config);
  options.center = true;
  options.center_resize = narrow(config.loader.eval_resize);
  options.crops = {{.count = 1, .size = narrow(config.loader.eval_size)}};
  options.drop_incomplete = false;
  options.order = loader::Order::kArrival;
  options.shuffle_records = 1;
  return options;
}

scheduler::ScheduleOptions schedule_options(const service::Config& config) {
  const service::ScheduleConfig& from = config.schedule;
  scheduler::ScheduleOptions options;
  if (from.kind == "cosine") {
    options.kind = scheduler::ScheduleKind::kCosine;
  } else if (from.kind == "constant") {
    options.kind = scheduler::ScheduleKind::kConstant;
  }
  options.learning_rate = from.learning_rate;
  options.warmup_images = from.warmup_images;
  options.warmup_start = from.warmup_start;
  if (options.warmup_start == 0 && options.warmup_images > 0) {
    options.warmup_start = scheduler::rate_one_step_up(
        from.learning_rate,
        from.warmup_images,
        static_cast<std::uint64_t>(config.loader.batch_images));
  }
  options.min_improvement = from.min_improvement;
  options.patience_images = from.patience_images;
  options.cooldown_images = from.cooldown_images;
  options.floor = from.floor;
  options.total_images = from.total_images;
  options.end_learning_rate = from.end_learning_rate;
  options.cosine = from.cosine == "fixed" ? scheduler::CosineVariant::kFixed
                                          : scheduler::CosineVariant::kRescaled;
  return options;
}

scheduler::HealthOptions health_options(const service::Config& config) {
  // What a model makes of its steps does not depend on how many images they
  // have; a warm-up of the rate may be longer, and so may frozen prototypes.
  constexpr std::uint64_t kSettledSteps = 400;
  constexpr std::uint64_t kDivergingSteps = 100;
  const auto batch = static_cast<std::uint64_t>(config.loader.batch_images);
  const auto frozen =
      static_cast<std::uint64_t>(config.swav.freeze_prototypes_steps);
  scheduler::HealthOptions options;
  options.settled_after_images = std::max(
      {kSettledSteps * batch,
       kSettledSteps / 2 * batch + frozen * batch,
       config.schedule.warmup_images});
  options.diverging_after_images = kDivergingSteps * batch;
  return options;
}

scheduler::CadenceOptions cadence_options(const service::Config& config) {
  constexpr std::uint64_t kMsPerSecond = 1000;
  return {
      config.snapshot.every_steps,
      config.snapshot.every_seconds * kMsPerSecond};
}

scheduler::RetentionOptions retention_options(const service::Config& config) {
  const service::SnapshotConfig& keep = config.snapshot;
  return {
      keep.keep_last,
      keep.keep_every,
      keep.keep_hourly,
      keep.keep_daily,
      keep.keep_weekly};
}

scheduler::RetentionOptions remote_retention_options(
    const service::Config& config) {
  const service::ObjectStoreConfig& keep = config.object_store;
  return {
      keep.keep_last,
      keep.keep_every,
      keep.keep_hourly,
      keep.keep_daily,
      keep.keep_weekly};
}

ProberOptions prober_options(const service::Config& config) {
  ProberOptions options;
  options.place = config.data_dir;
  options.train = config.probe.train;
  options.test = config.probe.test;
  options.every = static_cast<std::uint64_t>(config.probe.every);
  options.bank = config.probe.bank;
  options.queries = config.probe.queries;
  options.time_limit = std::chrono::seconds(config.probe.time_limit_seconds);
  return options;
}

}  // namespace swavd::daemon
