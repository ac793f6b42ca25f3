#include "ops/bin/swavd_commands.h"

#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "ops/bin/anneal_command.h"
#include "ops/daemon/model_files.h"

namespace swavd::bin {

namespace {

using Json = nlohmann::ordered_json;

/// A counter on stderr while images are embedded, on terminals only.
daemon::ImageProgress progress() {
  if (::isatty(STDERR_FILENO) != 1) {
    return {};
  }
  return [](std::uint64_t images) {
    std::fprintf(
        stderr, "\r%llu images", static_cast<unsigned long long>(images));
  };
}

void end_progress() {
  if (::isatty(STDERR_FILENO) == 1) {
    std::fputs("\r\033[K", stderr);
  }
}

daemon::ModelUse use_of(const ModelArguments& arguments) {
  return arguments.weights == "raw" ? daemon::ModelUse::kEvaluateRaw
                                    : daemon::ModelUse::kEvaluate;
}

Status eval_views(const ModelArguments& arguments) {
  auto model = daemon::load_model(arguments.snapshot, use_of(arguments));
  if (!model.ok()) {
    return model.error();
  }
  auto report = daemon::eval_views(
      *model.value().trainer,
      model.value().config,
      arguments.images,
      arguments.limit,
      arguments.rounds,
      progress());
  end_progress();
  if (!report.ok()) {
    return report.error();
  }
  const daemon::ViewsReport& views = report.value();
  if (arguments.json) {
    print(Json({{"snapshot", model.value().snapshot_id},
                {"images", views.hits.size()},
                {"rounds", views.rounds},
                {"top1", views.top1},
                {"standard_error", views.standard_error}})
              .dump());
  } else {
    print(fmt::format(
        "view retrieval {:.2f} ± {:.2f} % among {} images in {} rounds (chance "
        "{:.2f} %)",
        views.top1,
        views.standard_error,
        views.hits.size(),
        views.rounds,
        100.0 / static_cast<double>(2 * views.hits.size() - 1)));
  }
  return ok_status();
}

Status eval_knn(const ModelArguments& arguments) {
  auto model = daemon::load_model(arguments.snapshot, use_of(arguments));
  if (!model.ok()) {
    return model.error();
  }
  auto report = daemon::eval_knn(
      *model.value().trainer, model.value().config, arguments.knn, progress());
  end_progress();
  if (!report.ok()) {
    return report.error();
  }
  const daemon::KnnReport& knn = report.value();
  if (arguments.json) {
    print(Json({{"snapshot", model.value().snapshot_id},
                {"top1", knn.model.top1},
                {"standard_error", knn.model.standard_error},
                {"pixels_top1", knn.pixels.top1},
                {"bank", knn.bank},
                {"queries", knn.model.queries},
                {"classes", knn.classes}})
              .dump());
  } else {
    print(fmt::format(
        "kNN {:.2f} ± {:.2f} % ({} queries, bank of {}, {} classes); on raw "
        "pixels {:.2f} %",
        knn.model.top1,
        knn.model.standard_error,
        knn.model.queries,
        knn.bank,
        knn.classes,
        knn.pixels.top1));
  }
  return ok_status();
}

Status embed(const ModelArguments& arguments) {
  auto model = daemon::load_model(arguments.snapshot, use_of(arguments));
  if (!model.ok()) {
    return model.error();
  }
  auto images = daemon::embed_images(
      *model.value().trainer,
      model.value().config,
      arguments.images,
      {.sorted = true},
      progress());
  end_progress();
  if (!images.ok()) {
    return images.error();
  }
  for (const std::string& rejected : images.value().rejected) {
    std::fprintf(stderr, "left out %s\n", rejected.c_str());
  }
  return daemon::write_features(
      images.value(), model.value().snapshot_id, arguments.out);
}

Status init(const ModelArguments& arguments) {
  auto config = arguments.config.load();
  if (!config.ok()) {
    return config.error();
  }
  auto id = daemon::init_snapshot(config.value(), arguments.out);
  if (!id.ok()) {
    return id.error();
  }
  print(id.value());
  return ok_status();
}

Status replay(const ModelArguments& arguments) {
  auto report =
      daemon::replay_step(arguments.snapshot, arguments.crops, arguments.out);
  if (!report.ok()) {
    return report.error();
  }
  print(report.value());
  return ok_status();
}

void add_snapshot_option(CLI::App& command, ModelArguments& arguments) {
  command
      .add_option(
          "--snapshot",
          arguments.snapshot,
          "A path or file:// URL, with @ID for one of several")
      ->required();
}

void add_weights_option(CLI::App& command, ModelArguments& arguments) {
  command
      .add_option(
          "--weights",
          arguments.weights,
          "Which of the snapshot: those it publishes, or the raw ones that "
          "training goes on with (where model.ema is on)")
      ->check(CLI::IsMember({"published", "raw"}))
      ->capture_default_str();
}

void add_eval(CLI::App& app, ModelArguments& arguments, Body& body) {
  auto* eval = app.add_subcommand("eval", "How good is a snapshot?");
  eval->require_subcommand(1);

  auto* views = eval->add_subcommand(
      "views",
      "Without labels: how often is the nearest neighbour of a random view "
      "the other view of the same image?");
  add_snapshot_option(*views, arguments);
  add_weights_option(*views, arguments);
  views->add_option("--images", arguments.images, "A folder or a tar file")
      ->required();
  views->add_option("--limit", arguments.limit, "Images at most; 0: all");
  views
      ->add_option(
          "--rounds",
          arguments.rounds,
          "Draw so many pairs of views of each image: a smaller error")
      ->check(CLI::Range(1, 255));
  views->add_flag("--json", arguments.json, "As JSON");
  views->callback(
      [&] { body = [&arguments] { return eval_views(arguments); }; });

  auto* knn = eval->add_subcommand(
      "knn",
      "With labels (the first folder of a file's path): weighted nearest "
      "neighbours");
  add_snapshot_option(*knn, arguments);
  add_weights_option(*knn, arguments);
  daemon::KnnQuery& query = arguments.knn;
  knn->add_option("--train", query.train, "A folder or a tar file")->required();
  knn->add_option("--test", query.test, "A folder or a tar file");
  knn->add_option(
      "--hold-out", query.hold_out, "Test on the last N images of --train");
  knn->add_option(
      "--every", query.every, "Test on every N-th image of --train");
  knn->add_option("--bank", query.bank, "Train images at most; 0: all");
  knn->add_option("--queries", query.queries, "Test images at most; 0: all");
  knn->add_option("-k", query.knn.k, "Neighbours that vote");
  knn->add_option("--temperature", query.knn.temperature, "Of their votes");
  knn->add_flag("--json", arguments.json, "As JSON");
  knn->callback([&] { body = [&arguments] { return eval_knn(arguments); }; });
}

}  // namespace

void add_model_commands(CLI::App& app, ModelArguments& arguments, Body& body) {
  add_eval(app, arguments, body);

  auto* embed_command = app.add_subcommand(
      "embed", "Features of images, for search or clustering");
  add_snapshot_option(*embed_command, arguments);
  add_weights_option(*embed_command, arguments);
  embed_command
      ->add_option("--images", arguments.images, "A folder or a tar file")
      ->required();
  embed_command
      ->add_option(
          "--out",
          arguments.out,
          "A safetensors file: features [N, D], names in its metadata")
      ->required();
  embed_command->callback(
      [&] { body = [&arguments] { return embed(arguments); }; });

  auto* init_command =
      app.add_subcommand("init", "Write a snapshot of step 0 into a folder");
  arguments.config.add_to(*init_command, /*required=*/false);
  init_command->add_option("--out", arguments.out, "Made when absent")
      ->required();
  init_command->callback(
      [&] { body = [&arguments] { return init(arguments); }; });

  auto* replay_command = app.add_subcommand(
      "replay-step", "One training step of a snapshot on given crops");
  add_snapshot_option(*replay_command, arguments);
  replay_command
      ->add_option(
          "--crops",
          arguments.crops,
          "A safetensors file: crop.0 ... crop.N, [B, 3, H, W] float32, "
          "normalised")
      ->required();
  replay_command->add_option("--out", arguments.out, "Made when absent")
      ->required();
  replay_command->callback(
      [&] { body = [&arguments] { return replay(arguments); }; });

  add_anneal_command(app, arguments.config, body);
}

}  // namespace swavd::bin
