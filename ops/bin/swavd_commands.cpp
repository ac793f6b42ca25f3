#include "ops/bin/swavd_commands.h"

#include <cstdio>

#include "ops/bin/anneal_command.h"
#include "ops/bin/eval_commands.h"
#include "ops/bin/progress_bar.h"
#include "ops/daemon/evaluate.h"
#include "ops/daemon/model_files.h"
#include "ops/daemon/replay_step.h"

namespace swavd::bin {

namespace {

Status embed(const ModelArguments& arguments) {
  auto model =
      daemon::load_model(arguments.snapshot, use_of(arguments.weights));
  if (!model.ok()) {
    return model.error();
  }
  const auto images = [&] {
    ProgressBar bar;
    return daemon::embed_images(
        *model.value().trainer,
        model.value().config,
        arguments.images,
        {.sorted = true},
        shown_by(bar));
  }();
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
  if (!report.value().trained) {
    std::fprintf(
        stderr,
        "%s: the step was skipped, nothing changed\n",
        report.value().skip_reason.c_str());
  }
  print(daemon::to_json(report.value()));
  return ok_status();
}

}  // namespace

void add_model_commands(CLI::App& app, ModelArguments& arguments, Body& body) {
  add_eval_commands(app, body);

  auto* embed_command = app.add_subcommand(
      "embed", "Features of images, for search or clustering");
  add_snapshot_option(*embed_command, arguments.snapshot);
  add_weights_option(*embed_command, arguments.weights);
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
  add_snapshot_option(*replay_command, arguments.snapshot);
  replay_command
      ->add_option(
          "--crops",
          arguments.crops,
          "A safetensors file: crop.0 ... crop.N, [B, 3, S, S] float32, "
          "normalised")
      ->required();
  replay_command->add_option("--out", arguments.out, "Made when absent")
      ->required();
  replay_command->callback(
      [&] { body = [&arguments] { return replay(arguments); }; });

  add_anneal_command(app, arguments.config, body);
}

}  // namespace swavd::bin
