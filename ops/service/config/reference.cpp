#include <string>

#include <fmt/format.h>

#include "ops/service/config.h"
#include "ops/service/config/binding.h"
#include "ops/service/config/keys.h"
#include "ops/service/config/presets.h"
#include "ops/service/config/shape_text.h"

namespace swavd::service {
namespace {

constexpr std::string_view kHead =
    R"(# Configuration

One TOML file (`--config FILE`) plus `conf.d/*.toml` beside it, read in the order of their names. A value is taken from
the first of these that has it:

1. a flag, `--set section.key=value`
2. the environment, `SWAVD_SECTION__KEY=value`; a key of the top level is `SWAVD_RUN`, `SWAVD_DATA_DIR`
3. `conf.d/*.toml`, the last file first
4. the file
5. the preset that `model.preset` names
6. the default

`swavd validate --config FILE` lists every mistake at once; `swavd config --config FILE` prints every value with where it
came from. Sizes are bytes or texts such as `"16MiB"`, durations texts such as `"10m"` (ms, s, m, h, d). No key holds a
secret: secrets are named by file.

Classes: **reloadable** keys take effect on SIGHUP, all or none; **restart** keys need a restart; **lineage** keys are part
of the snapshots: a run cannot go on with another value, a new `run` can begin with it.

This page is made from the table of keys in `ops/service/config/key_table.cpp`; a test keeps the two in step.
)";

std::string_view word(KeyClass key_class) {
  switch (key_class) {
    case KeyClass::kReloadable:
      return "reloadable";
    case KeyClass::kRestart:
      return "restart";
    case KeyClass::kLineage:
      return "lineage";
  }
  return "";
}

// A key's row. Crops have no default of their own: they come by the preset.
std::string row(const Key& key, const Config& defaults) {
  const std::string value = to_toml(value_of(key, defaults));
  return fmt::format(
      "| `{}` | {}{} | {} | {} | {} |\n",
      name_in_section(key.name),
      describe(key.shape),
      key.shape.unit.empty() || key.shape.unit == "duration" ||
              key.shape.unit == "bytes"
          ? ""
          : fmt::format(" ({})", key.shape.unit),
      key.shape.form == Form::kCrops ? "by preset" : "`" + value + "`",
      word(key.key_class),
      key.doc);
}

// The preset's own comment is its description.
std::string preset_section(const Preset& preset) {
  return fmt::format("\n### {}\n\n```toml\n{}```\n", preset.name, preset.toml);
}

}  // namespace

std::string config_reference_page() {
  constexpr std::string_view kColumns =
      "| Key | Takes | Default | Class | Meaning |\n|---|---|---|---|---|\n";
  const Config defaults;
  std::string page(kHead);
  page += fmt::format("\n## Top level\n\n{}", kColumns);
  std::string_view section;
  for (const Key& key : all_keys()) {
    if (section_of(key.name) != section) {
      section = section_of(key.name);
      page += fmt::format("\n## [{}]\n\n{}", section, kColumns);
    }
    page += row(key, defaults);
  }
  page += "\n## Presets\n";
  for (const Preset& preset : presets()) {
    page += preset_section(preset);
  }
  return page;
}

}  // namespace swavd::service
