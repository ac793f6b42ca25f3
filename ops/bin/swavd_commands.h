#pragma once

#include <functional>
#include <string>

#include "ops/bin/cli.h"

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
};

/// Adds `eval` with all it has, `embed`, `init`, `replay-step` and `anneal`.
void add_model_commands(CLI::App& app, ModelArguments& arguments, Body& body);

}  // namespace swavd::bin
