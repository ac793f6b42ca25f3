#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "ops/bin/cli.h"
#include "ops/daemon/evaluate.h"

namespace swavd::bin {

/// What the chosen sub-command will do.
using Body = std::function<Status()>;

/// Arguments of the commands that work on a snapshot.
struct ModelArguments {
  ConfigArguments config;
  std::string snapshot;
  std::string images;
  std::string out;
  std::string crops;
  std::string weights = "published";
  std::uint64_t limit = 1000;
  std::int32_t rounds = 1;
  bool json = false;
  daemon::KnnQuery knn;
};

/// Adds `eval views`, `eval knn`, `embed`, `init`, `replay-step` and `anneal`.
void add_model_commands(CLI::App& app, ModelArguments& arguments, Body& body);

}  // namespace swavd::bin
