#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "ops/base/result.h"
#include "ops/service/config.h"

namespace swavd::bin {

/// Parses the command line and runs what it asked for. Usage errors exit 64,
/// help 0; everything else as the Status says, its message on stderr.
/// `body` is set by the callback of the chosen sub-command.
[[nodiscard]] int run_app(
    CLI::App& app,
    int argc,
    char** argv,
    const std::function<Status()>& body);

/// Options that every command with a config has: --config F, --set KEY=VALUE.
struct ConfigArguments {
  std::string file;
  std::vector<std::string> overrides;

  void add_to(CLI::App& command, bool required);

  [[nodiscard]] service::ConfigSources sources() const;

  /// Errors: kConfig with every mistake, one a line.
  [[nodiscard]] Result<service::Config> load() const;

  /// The same with the warnings.
  [[nodiscard]] Result<service::LoadedConfig> load_with_warnings() const;
};

/// Text to stdout with a final line break.
void print(const std::string& text);

}  // namespace swavd::bin
