#include "ops/daemon/classifier_run.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "ops/base/philox.h"
#include "ops/daemon/options.h"
#include "ops/daemon/subsets.h"

namespace swavd::daemon {

namespace {

/// The crops the published protocols train on: RandomResizedCrop and flip.
loader::LoaderOptions epoch_options(
    const service::Config& config,
    const ClassifierQuery& query,
    std::int32_t epoch) {
  constexpr double kLeastScale = 0.08;
  loader::LoaderOptions options = center_loader_options(config);
  options.center = false;
  options.crops[0].scale_min = kLeastScale;
  options.crops[0].scale_max = 1;
  options.augment.flip_probability = 0.5;
  options.augment.jitter_probability = 0;
  options.augment.gray_probability = 0;
  options.augment.blur_probability = 0;
  options.batch_images = query.protocol.batch;
  options.seed = stream_key(query.seed, fmt::format("eval/epoch/{}", epoch));
  return options;
}

}  // namespace

ClassifierRun::ClassifierRun(
    const service::Config& config,
    const ClassifierQuery& query,
    LabelledImages& images,
    const ImageProgress& progress)
    : config_(config),
      query_(query),
      images_(images),
      progress_(progress) {}

void ClassifierRun::done(std::size_t images) {
  done_ += images;
  if (progress_) {
    progress_(done_, of_);
  }
}

Status ClassifierRun::visit_images(
    ingest::FileSet& files,
    std::vector<std::size_t> places,
    const loader::LoaderOptions& options,
    const loader::BufferAllocator& allocator,
    const Visit& visit) {
  auto source = files.source(std::move(places));
  if (!source.ok()) {
    return source.error();
  }
  rejected_ = 0;
  return for_each_batch(
      *source.value(),
      options,
      allocator,
      /*max_images=*/0,
      [&](const loader::Batch& batch) -> Status {
        rejected_ += batch.rejected.size();
        if (batch.images == 0) {
          return ok_status();
        }
        std::vector<std::int32_t> labels;
        for (const loader::Slot& slot : batch.slots) {
          labels.push_back(images_.classes.number(slot.label).value());
        }
        SWAVD_RETURN_IF_ERROR(visit(batch, labels));
        done(labels.size());
        return ok_status();
      });
}

Status ClassifierRun::stepped(const Result<double>& loss) {
  if (!loss.ok()) {
    return loss.error();
  }
  ++report_.steps;
  ++epoch_steps_;
  epoch_loss_ += loss.value();
  return ok_status();
}

Status ClassifierRun::end_epoch(std::int32_t epoch) {
  if (epoch_steps_ == 0) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "too few images of {} decode to fill a batch of {}",
            images_.train.path(),
            query_.protocol.batch)};
  }
  if (epoch + 1 == query_.protocol.epochs) {
    report_.loss = epoch_loss_ / static_cast<double>(epoch_steps_);
  }
  epoch_loss_ = 0;
  epoch_steps_ = 0;
  return ok_status();
}

double ClassifierRun::share() const {
  const auto steps =
      images_.places.size() / static_cast<std::size_t>(query_.protocol.batch);
  return static_cast<double>(epoch_steps_) / static_cast<double>(steps);
}

Status ClassifierRun::train(trainer::Classifier& classifier) {
  const auto epochs = static_cast<std::uint64_t>(query_.protocol.epochs);
  of_ = epochs * images_.places.size() + images_.test.names().size();
  for (std::int32_t epoch = 0; epoch < query_.protocol.epochs; ++epoch) {
    const auto number = static_cast<std::uint64_t>(epoch);
    SWAVD_RETURN_IF_ERROR(visit_images(
        images_.train,
        shuffled(images_.places, query_.seed, number),
        epoch_options(config_, query_, epoch),
        classifier.allocator(),
        [&](const loader::Batch& batch,
            const std::vector<std::int32_t>& labels) -> Status {
          if (batch.images < query_.protocol.batch) {
            return ok_status();  // the rest of the epoch
          }
          return stepped(classifier.step(
              batch, labels, rates_at(query_.protocol, epoch, share())));
        }));
    SWAVD_RETURN_IF_ERROR(end_epoch(epoch));
    report_.rejected = rejected_;
    done_ = (number + 1) * images_.places.size();  // rejected ones too
  }
  return ok_status();
}

Status ClassifierRun::remember_all(trainer::ProbeTrainer& probes) {
  const std::uint64_t bytes = images_.places.size() * probes.bytes_per_image();
  if (bytes > query_.cache_bytes) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "the features of {} images take {} bytes, --cache-bytes allows {}: "
            "raise it, or leave out --cached and have them computed anew in "
            "every epoch",
            images_.places.size(),
            bytes,
            query_.cache_bytes)};
  }
  return visit_images(
      images_.train,
      images_.places,
      center_loader_options(config_),
      probes.allocator(),
      [&probes](const loader::Batch& batch, const auto& labels) {
        return probes.remember(batch, labels);
      });
}

Status ClassifierRun::epoch_of_remembered(
    trainer::ProbeTrainer& probes,
    std::int32_t epoch) {
  const auto order = shuffled(
      all_places(static_cast<std::size_t>(probes.remembered())),
      query_.seed,
      static_cast<std::uint64_t>(epoch));
  const auto batch = static_cast<std::ptrdiff_t>(query_.protocol.batch);
  for (auto from = order.begin(); order.end() - from >= batch; from += batch) {
    SWAVD_RETURN_IF_ERROR(stepped(probes.step_remembered(
        {from, from + batch}, rates_at(query_.protocol, epoch, share()))));
    done(static_cast<std::size_t>(batch));
  }
  return end_epoch(epoch);
}

Status ClassifierRun::train_cached(trainer::ProbeTrainer& probes) {
  const auto epochs = static_cast<std::uint64_t>(query_.protocol.epochs);
  of_ = (1 + epochs) * images_.places.size() + images_.test.names().size();
  SWAVD_RETURN_IF_ERROR(remember_all(probes));
  report_.rejected = rejected_;
  for (std::int32_t epoch = 0; epoch < query_.protocol.epochs; ++epoch) {
    SWAVD_RETURN_IF_ERROR(epoch_of_remembered(probes, epoch));
  }
  return ok_status();
}

Status ClassifierRun::pixels(ClassifierReport& report) {
  // More would cost memory and change little: a baseline.
  constexpr std::uint64_t kBank = 10'000;
  const auto embed = [this](ingest::FileSet& files, auto places) {
    auto source = files.source(std::move(places));
    return source.ok() ? pixels_of_source(config_, *source.value())
                       : Result<EmbeddedImages>(source.error());
  };
  auto bank = embed(images_.train, spread(images_.places, kBank));
  if (!bank.ok()) {
    return bank.error();
  }
  auto queries = embed(images_.test, all_places(images_.test.names().size()));
  if (!queries.ok()) {
    return queries.error();
  }
  trainer::KnnOptions options;
  report.pixels_bank = bank.value().names.size();
  options.k =
      std::min(options.k, static_cast<std::int32_t>(report.pixels_bank));
  auto accuracy = trainer::knn(
      bank.value().features,
      images_.classes.learn(bank.value().labels),
      queries.value().features,
      images_.classes.learn(queries.value().labels),
      options);
  if (!accuracy.ok()) {
    return accuracy.error();
  }
  report.pixels = std::move(accuracy).value();
  return ok_status();
}

Result<ClassifierReport> ClassifierRun::test(trainer::Classifier& classifier) {
  const loader::LoaderOptions options = center_loader_options(config_);
  std::vector<std::vector<std::int32_t>> answers(classifier.heads().size());
  ClassifierReport report = std::move(report_);
  SWAVD_RETURN_IF_ERROR(visit_images(
      images_.test,
      all_places(images_.test.names().size()),
      options,
      classifier.allocator(),
      [&](const loader::Batch& batch, const auto& labels) -> Status {
        auto predicted = classifier.predict(batch);
        if (!predicted.ok()) {
          return predicted.error();
        }
        for (std::size_t head = 0; head < answers.size(); ++head) {
          const auto& some = predicted.value()[head];
          answers[head].insert(answers[head].end(), some.begin(), some.end());
        }
        report.truth.insert(report.truth.end(), labels.begin(), labels.end());
        return ok_status();
      }));
  report.rejected += rejected_;
  for (std::size_t head = 0; head < answers.size(); ++head) {
    auto accuracy = trainer::accuracy(std::move(answers[head]), report.truth);
    if (!accuracy.ok()) {
      return accuracy.error().with_context(
          "not one image under " + images_.test.path() + " decodes");
    }
    report.heads.push_back(
        {classifier.heads()[head], std::move(accuracy).value()});
    if (report.heads[head].test.top1 > report.heads[report.best].test.top1) {
      report.best = head;
    }
  }
  SWAVD_RETURN_IF_ERROR(pixels(report));
  report.classes = images_.classes.names();
  report.train_images = images_.places.size();
  report.least_per_class = images_.least_per_class;
  report.most_per_class = images_.most_per_class;
  report.crop = options.crops[0].size;
  report.resize = options.center_resize;
  return report;
}

}  // namespace swavd::daemon
