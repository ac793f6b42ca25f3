#include "ops/bin/eval_commands.h"

#include <utility>

#include <fmt/format.h>

#include "ops/bin/eval_report.h"
#include "ops/daemon/evaluate.h"
#include "trainer/protocols.h"

namespace swavd::bin {

namespace {

using trainer::ProtocolKind;

struct ViewsArguments {
  std::string snapshot;
  std::string weights = "published";
  std::string images;
  std::uint64_t limit = 1000;
  std::int32_t rounds = 1;
  ReportStyle style;
};

struct KnnArguments {
  std::string snapshot;
  std::string weights = "published";
  daemon::KnnQuery query;
  ReportStyle style;
};

/// Zeros: as the protocol says.
struct ClassifierArguments {
  std::string snapshot;
  std::string protocol;
  daemon::ClassifierQuery query;
  std::int32_t epochs = 0;
  std::int32_t batch = 0;
  double rate = 0;
  double head_rate = 0;
  ReportStyle style;
};

/// Restores the model, evaluates it under a progress bar and prints what
/// `show` makes of the report.
template <typename Evaluate, typename Show>
Status evaluate_model(
    const std::string& snapshot,
    const std::string& weights,
    const Evaluate& evaluate,
    const Show& show) {
  auto model = daemon::load_model(snapshot, use_of(weights));
  if (!model.ok()) {
    return model.error();
  }
  const auto report = [&] {
    ProgressBar bar;
    return evaluate(model.value(), shown_by(bar));
  }();
  if (!report.ok()) {
    return report.error();
  }
  print(show(model.value().snapshot_id, report.value()));
  return ok_status();
}

Status eval_views(const ViewsArguments& arguments) {
  return evaluate_model(
      arguments.snapshot,
      arguments.weights,
      [&](daemon::LoadedModel& model, const daemon::ImageProgress& progress) {
        return daemon::eval_views(
            *model.trainer,
            model.config,
            arguments.images,
            arguments.limit,
            arguments.rounds,
            progress);
      },
      [&](const std::string& id, const daemon::ViewsReport& views) {
        return views_report(id, views, arguments.style);
      });
}

Status eval_knn(const KnnArguments& arguments) {
  return evaluate_model(
      arguments.snapshot,
      arguments.weights,
      [&](daemon::LoadedModel& model, const daemon::ImageProgress& progress) {
        return daemon::eval_knn(
            *model.trainer, model.config, arguments.query, progress);
      },
      [&](const std::string& id, const daemon::KnnReport& report) {
        return knn_report(id, arguments.query, report, arguments.style);
      });
}

/// Sets what the command line says over the protocol; names what it changed.
std::vector<std::string> apply_changes(
    const ClassifierArguments& arguments,
    trainer::Protocol& protocol) {
  std::vector<std::string> changed;
  const auto note = [&changed](const char* what, auto before, auto after) {
    changed.push_back(fmt::format("{} {} instead of {}", what, after, before));
  };
  if (arguments.epochs > 0 && arguments.epochs != protocol.epochs) {
    note("epochs", protocol.epochs, arguments.epochs);
    protocol = with_epochs(std::move(protocol), arguments.epochs);
  }
  if (arguments.batch > 0 && arguments.batch != protocol.batch) {
    note("batch", protocol.batch, arguments.batch);
    protocol.batch = arguments.batch;
  }
  if (arguments.rate > 0 && arguments.rate != protocol.rate) {
    note("rate", protocol.rate, arguments.rate);
    protocol.rate = arguments.rate;
  }
  if (arguments.head_rate > 0 && arguments.head_rate != protocol.head_rate) {
    note(
        "head rate",
        protocol.head_rate > 0 ? protocol.head_rate : protocol.rate,
        arguments.head_rate);
    protocol.head_rate = arguments.head_rate;
  }
  if (arguments.query.cached) {
    changed.emplace_back("cached features of centre crops");
  }
  return changed;
}

Status eval_classifier(
    const ClassifierArguments& arguments,
    ProtocolKind kind) {
  auto protocol = trainer::find_protocol(
      kind, arguments.protocol, arguments.query.fraction);
  if (!protocol.ok()) {
    return protocol.error();
  }
  daemon::ClassifierQuery query = arguments.query;
  query.protocol = std::move(protocol).value();
  const auto changed = apply_changes(arguments, query.protocol);
  const auto report = [&] {
    ProgressBar bar;
    return daemon::eval_classifier(arguments.snapshot, query, shown_by(bar));
  }();
  if (!report.ok()) {
    return report.error();
  }
  print(classifier_report(query, changed, report.value(), arguments.style));
  return ok_status();
}

void add_views(CLI::App& eval, Body& body) {
  static ViewsArguments arguments;
  auto* views = eval.add_subcommand(
      "views",
      "Without labels: how often is the nearest neighbour of a random view "
      "the other view of the same image?");
  add_snapshot_option(*views, arguments.snapshot);
  add_weights_option(*views, arguments.weights);
  views->add_option("--images", arguments.images, "A folder or a tar file")
      ->required();
  views->add_option("--limit", arguments.limit, "Images at most; 0: all");
  views
      ->add_option(
          "--rounds",
          arguments.rounds,
          "Draw so many pairs of views of each image: a smaller error")
      ->check(CLI::Range(1, 255));
  views->add_flag("--json", arguments.style.json, "As JSON");
  views->callback([&body] { body = [] { return eval_views(arguments); }; });
}

void add_style(CLI::App& command, ReportStyle& style) {
  command.add_flag(
      "--confusion",
      style.confusion,
      "How often each class was taken for each");
  command.add_flag("--json", style.json, "As JSON");
}

void add_knn(CLI::App& eval, Body& body) {
  static KnnArguments arguments;
  auto* knn = eval.add_subcommand(
      "knn",
      "With labels (the first folder of a file's path): weighted nearest "
      "neighbours");
  add_snapshot_option(*knn, arguments.snapshot);
  add_weights_option(*knn, arguments.weights);
  daemon::KnnQuery& query = arguments.query;
  knn->add_option("--train", query.train, "A folder or a tar file")->required();
  knn->add_option("--test", query.test, "A folder or a tar file");
  knn->add_option(
      "--hold-out", query.hold_out, "Test on the last N images of --train");
  knn->add_option(
      "--every", query.every, "Test on every N-th image of --train");
  knn->add_option(
      "--bank",
      query.bank,
      "Train images at most, evenly spread over all; 0: all");
  knn->add_option(
      "--queries",
      query.queries,
      "Test images at most, evenly spread over all; 0: all");
  knn->add_option("-k", query.knn.k, "Neighbours that vote");
  knn->add_option("--temperature", query.knn.temperature, "Of their votes");
  add_style(*knn, arguments.style);
  knn->callback([&body] { body = [] { return eval_knn(arguments); }; });
}

/// What linear, low-shot and finetune have in common.
void add_classifier_options(
    CLI::App& command,
    ClassifierArguments& arguments,
    ProtocolKind kind) {
  constexpr std::int32_t kMany = 1 << 20;
  constexpr double kSmall = 1e-12;
  constexpr double kLarge = 1e6;
  std::vector<std::string> names;
  for (const trainer::Protocol& protocol : trainer::protocols(kind)) {
    if (names.empty() || names.back() != protocol.name) {
      names.push_back(protocol.name);
    }
  }
  arguments.protocol = names.front();
  daemon::ClassifierQuery& query = arguments.query;
  add_snapshot_option(command, arguments.snapshot);
  command
      .add_option(
          "--train",
          query.train,
          "Images to learn from: a folder or a tar file")
      ->required();
  command
      .add_option(
          "--test", query.test, "Images to test on: a folder or a tar file")
      ->required();
  command
      .add_option(
          "--protocol", arguments.protocol, "A published recipe for the rest")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  command
      .add_option(
          "--epochs",
          arguments.epochs,
          "Instead of the protocol's; its milestones move along")
      ->check(CLI::Range(1, kMany));
  command
      .add_option(
          "--batch",
          arguments.batch,
          "Images a step instead of the protocol's; the rate moves along")
      ->check(CLI::Range(2, kMany));
  command
      .add_option(
          "--rate",
          arguments.rate,
          "Learning rate for 256 images a step instead of the protocol's")
      ->check(CLI::Range(kSmall, kLarge));
  command.add_option(
      "--seed",
      query.seed,
      "Of the first weights, the order, the crops and the subset");
  add_style(command, arguments.style);
}

void add_head_rate(CLI::App& command, ClassifierArguments& arguments) {
  constexpr double kSmall = 1e-12;
  constexpr double kLarge = 1e6;
  command
      .add_option(
          "--head-rate",
          arguments.head_rate,
          "The head's, where it differs from the trunk's --rate")
      ->check(CLI::Range(kSmall, kLarge));
}

void add_linear(CLI::App& eval, Body& body) {
  static ClassifierArguments arguments;
  auto* linear = eval.add_subcommand(
      "linear",
      "With labels: linear probes on several layers of the frozen trunk");
  add_classifier_options(*linear, arguments, ProtocolKind::kLinear);
  linear->add_flag(
      "--cached",
      arguments.query.cached,
      "Compute the features of the centre crops once and keep them in memory: "
      "faster, and no random crops as the protocols have them");
  linear->add_option(
      "--cache-bytes",
      arguments.query.cache_bytes,
      "What these features may take");
  linear->callback([&body] {
    body = [] { return eval_classifier(arguments, ProtocolKind::kLinear); };
  });
}

void add_low_shot(CLI::App& eval, Body& body) {
  static ClassifierArguments arguments;
  constexpr double kLeast = 1e-9;
  auto* low_shot = eval.add_subcommand(
      "low-shot",
      "With labels: the whole network, trained on a small share of them");
  add_classifier_options(*low_shot, arguments, ProtocolKind::kLowShot);
  add_head_rate(*low_shot, arguments);
  low_shot
      ->add_option(
          "--fraction",
          arguments.query.fraction,
          "Share of the labels, equally many of each class: 0.01, 0.1")
      ->required()
      ->check(CLI::Range(kLeast, 1.0));
  low_shot->callback([&body] {
    body = [] { return eval_classifier(arguments, ProtocolKind::kLowShot); };
  });
}

void add_fine_tune(CLI::App& eval, Body& body) {
  static ClassifierArguments arguments;
  auto* fine_tune = eval.add_subcommand(
      "finetune", "With labels: the whole network, trained on all of them");
  add_classifier_options(*fine_tune, arguments, ProtocolKind::kFineTune);
  add_head_rate(*fine_tune, arguments);
  fine_tune->callback([&body] {
    body = [] { return eval_classifier(arguments, ProtocolKind::kFineTune); };
  });
}

}  // namespace

void add_snapshot_option(CLI::App& command, std::string& snapshot) {
  command
      .add_option(
          "--snapshot",
          snapshot,
          "A path, file:// or s3:// URL, with @ID for one of several")
      ->required();
}

void add_weights_option(CLI::App& command, std::string& weights) {
  command
      .add_option(
          "--weights",
          weights,
          "Which of the snapshot: those it publishes, or the raw ones that "
          "training goes on with (where model.ema is on)")
      ->check(CLI::IsMember({"published", "raw"}))
      ->capture_default_str();
}

daemon::ModelUse use_of(const std::string& weights) {
  return weights == "raw" ? daemon::ModelUse::kEvaluateRaw
                          : daemon::ModelUse::kEvaluate;
}

daemon::ImageProgress shown_by(ProgressBar& bar) {
  return
      [&bar](std::uint64_t images, std::uint64_t of) { bar.show(images, of); };
}

void add_eval_commands(CLI::App& app, Body& body) {
  auto* eval = app.add_subcommand("eval", "How good is a snapshot?");
  eval->require_subcommand(1);
  add_views(*eval, body);
  add_knn(*eval, body);
  add_linear(*eval, body);
  add_low_shot(*eval, body);
  add_fine_tune(*eval, body);
}

}  // namespace swavd::bin
