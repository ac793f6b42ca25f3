#pragma once

#include "ops/bin/cli.h"
#include "ops/bin/swavd_commands.h"

namespace swavd::bin {

/// Adds `headspace`.
void add_headspace_command(CLI::App& app, ConfigArguments& config, Body& body);

}  // namespace swavd::bin
