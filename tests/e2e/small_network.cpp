#include "tests/e2e/small_network.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fmt/format.h>

#include "tests/e2e/images.h"

namespace swavd::e2e {

std::vector<std::string> small_network() {
  std::vector<std::string> flags;
  for (const char* setting :
       {"model.preset=\"tiny\"",
        "model.depth=4",
        "model.w0=8",
        "model.wa=8.0",
        "model.wm=2.0",
        "model.group_width=8",
        "model.head_hidden=[16]",
        "model.head_out=8",
        "swav.prototypes=12",
        "loader.batch_images=16",
        "loader.crops=[{count = 2, size = 32, scale = [0.3, 1.0]}]",
        "loader.eval_resize=32",
        "loader.eval_size=32",
        "precision.threads=2"}) {
    flags.emplace_back("--set");
    flags.emplace_back(setting);
  }
  return flags;
}

void write_coloured(
    const std::string& folder,
    std::uint64_t each,
    std::uint64_t first_seed,
    std::size_t colours) {
  constexpr std::array<std::pair<const char*, std::uint32_t>, 3> kColours = {
      {{"red", 0xFF2020}, {"green", 0x20FF20}, {"blue", 0x2020FF}}};
  for (std::size_t c = 0; c < colours; ++c) {
    const auto& [name, colour] = kColours.at(c);
    const std::string to = folder + "/" + name;
    std::filesystem::create_directories(to);
    for (std::uint64_t seed = first_seed; seed < first_seed + each; ++seed) {
      std::ofstream(fmt::format("{}/{}.png", to, seed), std::ios::binary)
          << coloured_png(colour, seed * kColours.size() + c);
    }
  }
}

}  // namespace swavd::e2e
