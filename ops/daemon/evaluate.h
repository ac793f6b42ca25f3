#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dedup_free_loader/loader.h"
#include "ingest/paths.h"
#include "ingest/source.h"
#include "ops/base/result.h"
#include "ops/service/config.h"
#include "state/snapshot_store.h"
#include "trainer/evaluation.h"
#include "trainer/trainer.h"

namespace swavd::daemon {

/// A snapshot brought to life for evaluation.
struct LoadedModel {
  service::Config config;  ///< the model-relevant sections of the snapshot
  std::unique_ptr<trainer::Trainer> trainer;
  std::string snapshot_id;
};

/// What a model is wanted for: evaluation needs only what is published, so a
/// folder pulled without the state will do; unless it is to be of the raw
/// weights, and a moving average is published.
enum class ModelUse { kEvaluate, kEvaluateRaw, kTrain };

/// Opens REF and restores its trainer. Errors: kNotFound, kCorruption, those
/// of `make_trainer`.
[[nodiscard]] Result<LoadedModel> load_model(
    std::string_view ref,
    ModelUse use);

/// The same of a snapshot that is open, so that whoever needs more of it gets
/// it from the same one.
[[nodiscard]] Result<LoadedModel> load_model(
    state::SnapshotReader& snapshot,
    ModelUse use);

/// Told how many images are done and of how many (0: that is not known); for
/// progress bars. May be empty.
using ImageProgress =
    std::function<void(std::uint64_t images, std::uint64_t of)>;

/// Features of the centre crops of images.
struct EmbeddedImages {
  trainer::Features features;
  std::vector<std::string> names;     ///< [rows]
  std::vector<std::string> labels;    ///< [rows], first folder of the name
  std::vector<std::string> rejected;  ///< names of what does not decode
};

/// Features of a finite source, which is not assigned yet. Errors: those of
/// the source and of the trainer; kInvalidArgument when not one image decodes.
[[nodiscard]] Result<EmbeddedImages> embed_source(
    trainer::Trainer& trainer,
    const service::Config& config,
    ingest::Source& source,
    const ImageProgress& progress);

/// The same with the pixels of 32x32 crops as features: what a model must
/// beat.
[[nodiscard]] Result<EmbeddedImages> pixels_of_source(
    const service::Config& config,
    ingest::Source& source);

/// Features of a PATH. Errors: those of the path and of `embed_source`.
[[nodiscard]] Result<EmbeddedImages> embed_images(
    trainer::Trainer& trainer,
    const service::Config& config,
    const std::string& path,
    const ingest::PathSourceOptions& which,
    const ImageProgress& progress);

/// View retrieval, without labels.
struct ViewsReport {
  std::vector<std::uint8_t> hits;  ///< [images], rounds that found the view
  std::int32_t rounds = 1;
  double top1 = 0;            ///< percent of all rounds
  double standard_error = 0;  ///< percent, over the images
};

/// Two random views of each image, drawn as the training crops of the first
/// group are, from the image's place in PATH and a seed that does not change:
/// two calls on the same images can be compared pair by pair. Each of `rounds`
/// (1 to 255) draws two others and asks anew: what is said of an image is then
/// less of an accident. `limit`: images at most; 0: all.
[[nodiscard]] Result<ViewsReport> eval_views(
    trainer::Trainer& trainer,
    const service::Config& config,
    const std::string& path,
    std::uint64_t limit,
    std::int32_t rounds,
    const ImageProgress& progress);

/// Runs `visit` over the batches a PATH gives with these loader options, until
/// `max_images` have come (0: all), rounded up to a batch.
[[nodiscard]] Status for_each_batch(
    const std::string& path,
    const ingest::PathSourceOptions& which,
    const loader::LoaderOptions& options,
    const loader::BufferAllocator& allocator,
    std::uint64_t max_images,
    const std::function<Status(const loader::Batch&)>& visit);

/// The same over a finite source that is not assigned yet.
[[nodiscard]] Status for_each_batch(
    ingest::Source& source,
    const loader::LoaderOptions& options,
    const loader::BufferAllocator& allocator,
    std::uint64_t max_images,
    const std::function<Status(const loader::Batch&)>& visit);

}  // namespace swavd::daemon
