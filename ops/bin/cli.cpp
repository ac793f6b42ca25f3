#include "ops/bin/cli.h"

#include <cstdio>

#include <unistd.h>

namespace swavd::bin {

int run_app(
    CLI::App& app,
    int argc,
    char** argv,
    const std::function<Status()>& body) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : exit_code(ErrorCode::kInvalidArgument);
  }
  const Status status = body();
  if (status.ok()) {
    return 0;
  }
  std::fprintf(
      stderr,
      "%s: %s\n",
      app.get_name().c_str(),
      status.error().message.c_str());
  return exit_code(status.error().code);
}

void ConfigArguments::add_to(CLI::App& command, bool required) {
  auto* option = command.add_option(
      "-c,--config", file, "TOML file; conf.d/*.toml beside it is read too");
  if (required) {
    option->required();
  }
  command.add_option(
      "--set",
      overrides,
      "KEY=VALUE, over everything else; a TOML value, for example "
      "snapshot.every_steps=100");
}

service::ConfigSources ConfigArguments::sources() const {
  service::ConfigSources sources;
  sources.file = file;
  sources.overrides = overrides;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    sources.environment.emplace_back(*entry);
  }
  return sources;
}

Result<service::Config> ConfigArguments::load() const {
  auto loaded = load_with_warnings();
  if (!loaded.ok()) {
    return loaded.error();
  }
  return std::move(loaded.value().config);
}

Result<service::LoadedConfig> ConfigArguments::load_with_warnings() const {
  service::LoadedConfig loaded = service::load_config(sources());
  if (!loaded.mistakes.empty()) {
    return Error{
        ErrorCode::kConfig,
        "the configuration is wrong\n" +
            service::format_mistakes(loaded.mistakes)};
  }
  return loaded;
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  if (text.empty() || text.back() != '\n') {
    std::fputc('\n', stdout);
  }
}

}  // namespace swavd::bin
