#include "ops/daemon/evaluate.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "ops/daemon/daemon.h"
#include "ops/daemon/options.h"
#include "state/snapshot_ref.h"

namespace swavd::daemon {

namespace {

using std::chrono::milliseconds;

constexpr std::int32_t kPixelSide = 32;
constexpr double kPercent = 100.0;

void append(trainer::Features& all, const trainer::Features& more) {
  all.dim = more.dim;
  all.rows += more.rows;
  all.values.insert(all.values.end(), more.values.begin(), more.values.end());
}

void append_names(EmbeddedImages& out, const loader::Batch& batch) {
  for (const loader::Slot& slot : batch.slots) {
    out.names.push_back(slot.name);
    out.labels.push_back(slot.label);
  }
  for (const loader::Rejected& rejected : batch.rejected) {
    out.rejected.push_back(fmt::format(
        "{}: {}",
        ingest::find_header(rejected.record.headers, "name"),
        to_string(rejected.rejection.reason)));
  }
}

trainer::Features
rows_of(const trainer::Features& all, std::int64_t from, std::int64_t count) {
  trainer::Features some;
  some.rows = count;
  some.dim = all.dim;
  const auto begin = all.values.begin() + from * all.dim;
  some.values.assign(begin, begin + count * all.dim);
  return some;
}

Status need_images(const EmbeddedImages& images, const std::string& path) {
  if (images.features.rows > 0) {
    return ok_status();
  }
  return Error{
      ErrorCode::kInvalidArgument,
      fmt::format(
          "not one image under {} decodes ({} files were tried)",
          path,
          images.rejected.size())};
}

/// Two views of each image, drawn from `seed`: [images], 1 where the first
/// found the second.
Result<std::vector<std::uint8_t>> one_round_of_views(
    trainer::Trainer& trainer,
    const service::Config& config,
    const std::string& path,
    std::uint64_t limit,
    std::uint64_t seed,
    const ImageProgress& progress) {
  loader::LoaderOptions options = loader_options(config);
  options.order = loader::Order::kArrival;
  options.shuffle_records = 1;
  options.drop_incomplete = false;
  options.seed = seed;  // the views stay the same whatever the run's seed is
  options.crops.resize(1);
  options.crops[0].count = 2;
  trainer::Features first;
  trainer::Features second;
  SWAVD_RETURN_IF_ERROR(for_each_batch(
      path,
      {},
      options,
      trainer.allocator(),
      limit,
      [&](const loader::Batch& batch) -> Status {
        if (batch.images == 0) {
          return ok_status();
        }
        auto both = trainer.embed(batch);
        if (!both.ok()) {
          return both.error();
        }
        const std::int64_t take =
            limit > 0 ? std::min(
                            std::int64_t{batch.images},
                            static_cast<std::int64_t>(limit) - first.rows)
                      : batch.images;
        append(first, rows_of(both.value(), 0, take));
        append(second, rows_of(both.value(), batch.images, take));
        progress(static_cast<std::uint64_t>(first.rows), limit);
        return ok_status();
      }));
  return trainer::view_retrieval(first, second);
}

Status restore_for(
    ModelUse use,
    state::SnapshotReader& reader,
    trainer::Trainer& trainer) {
  if (use == ModelUse::kTrain) {
    return trainer.restore(reader);
  }
  if (use == ModelUse::kEvaluate) {
    return trainer.restore_model(reader, trainer::Weights::kPublished);
  }
  const Status raw = trainer.restore_model(reader, trainer::Weights::kRaw);
  if (!raw.ok() && raw.error().code == ErrorCode::kNotFound) {
    return raw.error().with_context(
        "raw weights are in state.safetensors, which `swavctl snapshots pull "
        "--with-state` copies too");
  }
  return raw;
}

}  // namespace

Result<LoadedModel> load_model(std::string_view ref, ModelUse use) {
  auto opened = state::open_snapshot(ref);
  if (!opened.ok()) {
    return opened.error();
  }
  return load_model(*opened.value().reader, use);
}

Result<LoadedModel> load_model(state::SnapshotReader& snapshot, ModelUse use) {
  auto config = service::parse_lineage(snapshot.manifest().config_toml);
  if (!config.ok()) {
    return config.error().with_context("snapshot " + snapshot.id());
  }
  LoadedModel model;
  model.config = std::move(config).value();
  model.snapshot_id = snapshot.id();
  auto trainer = make_trainer(model.config);
  if (!trainer.ok()) {
    return trainer.error();
  }
  model.trainer = std::move(trainer).value();
  SWAVD_RETURN_IF_ERROR(restore_for(use, snapshot, *model.trainer));
  return model;
}

Status for_each_batch(
    const std::string& path,
    const ingest::PathSourceOptions& which,
    const loader::LoaderOptions& options,
    const loader::BufferAllocator& allocator,
    std::uint64_t max_images,
    const std::function<Status(const loader::Batch&)>& visit) {
  auto source = ingest::open_path_source(path, which);
  if (!source.ok()) {
    return source.error();
  }
  return for_each_batch(*source.value(), options, allocator, max_images, visit);
}

Status for_each_batch(
    ingest::Source& source,
    const loader::LoaderOptions& options,
    const loader::BufferAllocator& allocator,
    std::uint64_t max_images,
    const std::function<Status(const loader::Batch&)>& visit) {
  auto bounds = source.bounds();
  if (!bounds.ok()) {
    return bounds.error();
  }
  ingest::StreamProgress progress;
  for (const ingest::PartitionBounds& bound : bounds.value()) {
    progress.begin(source.topic(), bound.partition, bound.begin);
  }
  SWAVD_RETURN_IF_ERROR(source.assign(progress.positions()));
  const auto loader = loader::start_loader(source, options, allocator);
  std::uint64_t images = 0;
  while (max_images == 0 || images < max_images) {
    constexpr milliseconds kWait{1000};
    auto next = loader->next(kWait);
    if (!next.ok()) {
      return next.error();
    }
    if (next.value().state == loader::NextState::kEnd) {
      return ok_status();
    }
    if (next.value().state == loader::NextState::kBatch) {
      images += static_cast<std::uint64_t>(next.value().batch->images);
      SWAVD_RETURN_IF_ERROR(visit(*next.value().batch));
    }
  }
  return ok_status();
}

Result<EmbeddedImages> embed_source(
    trainer::Trainer& trainer,
    const service::Config& config,
    ingest::Source& source,
    const ImageProgress& progress) {
  EmbeddedImages out;
  SWAVD_RETURN_IF_ERROR(for_each_batch(
      source,
      center_loader_options(config),
      trainer.allocator(),
      /*max_images=*/0,
      [&](const loader::Batch& batch) -> Status {
        append_names(out, batch);
        if (batch.images == 0) {
          return ok_status();
        }
        auto features = trainer.embed(batch);
        if (!features.ok()) {
          return features.error();
        }
        append(out.features, features.value());
        if (progress) {
          progress(out.names.size(), /*of=*/0);
        }
        return ok_status();
      }));
  SWAVD_RETURN_IF_ERROR(need_images(out, source.topic()));
  return out;
}

Result<EmbeddedImages> pixels_of_source(
    const service::Config& config,
    ingest::Source& source) {
  loader::LoaderOptions options = center_loader_options(config);
  options.center_resize = kPixelSide;
  options.crops = {{.count = 1, .size = kPixelSide}};
  EmbeddedImages out;
  SWAVD_RETURN_IF_ERROR(for_each_batch(
      source,
      options,
      loader::host_allocator(),
      /*max_images=*/0,
      [&out](const loader::Batch& batch) {
        trainer::Features pixels;
        pixels.rows = batch.images;
        pixels.dim = std::int64_t{kPixelSide} * kPixelSide * 3;
        if (batch.images > 0) {
          const float* data = batch.groups[0].data.get();
          pixels.values.assign(data, data + pixels.rows * pixels.dim);
        }
        append(out.features, pixels);
        append_names(out, batch);
        return ok_status();
      }));
  SWAVD_RETURN_IF_ERROR(need_images(out, source.topic()));
  return out;
}

Result<EmbeddedImages> embed_images(
    trainer::Trainer& trainer,
    const service::Config& config,
    const std::string& path,
    const ingest::PathSourceOptions& which,
    const ImageProgress& progress) {
  auto source = ingest::open_path_source(path, which);
  if (!source.ok()) {
    return source.error();
  }
  return embed_source(trainer, config, *source.value(), progress);
}

Result<ViewsReport> eval_views(
    trainer::Trainer& trainer,
    const service::Config& config,
    const std::string& path,
    std::uint64_t limit,
    std::int32_t rounds,
    const ImageProgress& progress) {
  ViewsReport report;
  report.rounds = rounds;
  std::uint64_t before = 0;  // images of the rounds so far
  // A pass each: the memory stays that of one pair of views.
  for (std::int32_t round = 0; round < rounds; ++round) {
    const auto hits = one_round_of_views(
        trainer,
        config,
        path,
        limit,
        static_cast<std::uint64_t>(round),
        [&](std::uint64_t images, std::uint64_t of) {
          if (progress) {
            progress(before + images, of * static_cast<std::uint64_t>(rounds));
          }
        });
    if (!hits.ok()) {
      return hits.error();
    }
    report.hits.resize(hits.value().size());
    std::transform(
        hits.value().begin(),
        hits.value().end(),
        report.hits.begin(),
        report.hits.begin(),
        std::plus<>());
    before += hits.value().size();
  }
  const auto images = static_cast<double>(report.hits.size());
  double sum = 0;
  double squares = 0;
  for (const std::uint8_t hits : report.hits) {
    const double share = hits / static_cast<double>(rounds);
    sum += share;
    squares += share * share;
  }
  const double mean = sum / images;
  report.top1 = kPercent * mean;
  report.standard_error =
      kPercent * std::sqrt((squares / images - mean * mean) / images);
  return report;
}

}  // namespace swavd::daemon
