#include "ops/daemon/evaluate_knn.h"

#include <functional>
#include <optional>
#include <utility>

#include "ingest/file_set.h"
#include "ops/daemon/class_names.h"
#include "ops/daemon/subsets.h"

namespace swavd::daemon {

namespace {

/// Which files answer and which ask.
struct Split {
  ingest::FileSet train;
  std::optional<ingest::FileSet> test;
  std::vector<std::size_t> bank;     ///< places in `train`
  std::vector<std::size_t> queries;  ///< places in `test`, else in `train`

  ingest::FileSet& asking() { return test ? *test : train; }
};

void split_train(Split& split, const KnnQuery& query) {
  const std::size_t files = split.train.names().size();
  for (std::size_t place = 0; place < files; ++place) {
    const bool asks = query.every > 1 ? place % query.every == query.every - 1
                                      : files - place <= query.hold_out;
    (asks ? split.queries : split.bank).push_back(place);
  }
}

Result<Split> split_files(const KnnQuery& query) {
  if (query.test.empty() && query.every < 2 && query.hold_out == 0) {
    return Error{
        ErrorCode::kInvalidArgument,
        "kNN needs --test PATH, or --hold-out N to take the last N images of "
        "--train, or --every N to take every N-th"};
  }
  auto train = ingest::FileSet::open(query.train);
  if (!train.ok()) {
    return train.error();
  }
  Split split{std::move(train).value(), std::nullopt, {}, {}};
  if (query.test.empty()) {
    split_train(split, query);
  } else {
    auto test = ingest::FileSet::open(query.test);
    if (!test.ok()) {
      return test.error();
    }
    split.test = std::move(test).value();
    split.bank = all_places(split.train.names().size());
    split.queries = all_places(split.test->names().size());
  }
  split.bank = spread(split.bank, query.bank);
  split.queries = spread(split.queries, query.queries);
  return split;
}

/// How the images of a kNN evaluation become features.
using Embed = std::function<Result<EmbeddedImages>(ingest::Source& source)>;

Result<EmbeddedImages> embed_places(
    ingest::FileSet& files,
    const std::vector<std::size_t>& places,
    const Embed& embed) {
  auto source = files.source(places);
  if (!source.ok()) {
    return source.error();
  }
  return embed(*source.value());
}

/// One evaluation, with the features of `embed`.
struct Answers {
  EmbeddedImages bank;
  EmbeddedImages queries;
  std::vector<std::int32_t> truth;
  trainer::Accuracy accuracy;
};

Result<Answers> classify(
    Split& split,
    ClassNames& classes,
    const trainer::KnnOptions& options,
    const Embed& embed) {
  auto bank = embed_places(split.train, split.bank, embed);
  if (!bank.ok()) {
    return bank.error();
  }
  auto queries = embed_places(split.asking(), split.queries, embed);
  if (!queries.ok()) {
    return queries.error();
  }
  Answers answers{std::move(bank).value(), std::move(queries).value(), {}, {}};
  const auto bank_labels = classes.learn(answers.bank.labels);
  answers.truth = classes.learn(answers.queries.labels);
  auto accuracy = trainer::knn(
      answers.bank.features,
      bank_labels,
      answers.queries.features,
      answers.truth,
      options);
  if (!accuracy.ok()) {
    return accuracy.error();
  }
  answers.accuracy = std::move(accuracy).value();
  return answers;
}

}  // namespace

Result<KnnReport> eval_knn(
    trainer::Trainer& trainer,
    const service::Config& config,
    const KnnQuery& query,
    const ImageProgress& progress) {
  auto opened = split_files(query);
  if (!opened.ok()) {
    return opened.error();
  }
  Split split = std::move(opened).value();
  auto named = ClassNames::of(split.train);
  if (!named.ok()) {
    return named.error();
  }
  ClassNames classes = std::move(named).value();
  KnnReport report;
  report.classes = classes.names().size();
  const std::uint64_t of = split.bank.size() + split.queries.size();
  std::uint64_t before = 0;
  auto model = classify(split, classes, query.knn, [&](ingest::Source& source) {
    auto images = embed_source(
        trainer, config, source, [&](std::uint64_t done, std::uint64_t /*of*/) {
          if (progress) {
            progress(before + done, of);
          }
        });
    before = split.bank.size();
    return images;
  });
  if (!model.ok()) {
    return model.error();
  }
  auto pixels =
      classify(split, classes, query.knn, [&config](ingest::Source& source) {
        return pixels_of_source(config, source);
      });
  if (!pixels.ok()) {
    return pixels.error();
  }
  Answers answers = std::move(model).value();
  report.bank = answers.bank.names.size();
  report.rejected =
      answers.bank.rejected.size() + answers.queries.rejected.size();
  report.model = std::move(answers.accuracy);
  report.pixels = std::move(pixels).value().accuracy;
  report.names = classes.names();
  report.truth = std::move(answers.truth);
  return report;
}

}  // namespace swavd::daemon
