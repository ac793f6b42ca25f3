#include "ops/daemon/gallery.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "dedup_free_loader/image.h"
#include "ops/base/files.h"
#include "ops/daemon/evaluate.h"
#include "ops/daemon/options.h"

namespace swavd::daemon {

namespace {

using Tile = ByteVector;  // RGB, side x side

constexpr std::int32_t kMargin = 2;  // pixels between tiles
constexpr std::uint8_t kPaper = 255;

/// A normalised centre crop back to pixels.
Tile to_tile(
    const float* crop,
    std::int32_t side,
    const service::LoaderConfig& loader) {
  const auto pixels =
      static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  Tile tile(pixels * 3);
  for (std::size_t i = 0; i < tile.size(); ++i) {
    const std::size_t channel = i % 3;
    const double value = static_cast<double>(crop[i]) * loader.std[channel] +
                         loader.mean[channel];
    tile[i] = static_cast<std::uint8_t>(
        std::clamp(std::lround(value * 255.0), 0L, 255L));
  }
  return tile;
}

void paste(
    loader::Image& canvas,
    const Tile& tile,
    std::int32_t side,
    std::int32_t x,
    std::int32_t y) {
  const auto row_bytes = static_cast<std::size_t>(side) * 3;
  for (std::int32_t line = 0; line < side; ++line) {
    const auto from =
        static_cast<std::ptrdiff_t>(static_cast<std::size_t>(line) * row_bytes);
    const std::ptrdiff_t to =
        (static_cast<std::ptrdiff_t>(y + line) * canvas.width + x) * 3;
    std::copy_n(
        tile.begin() + from,
        static_cast<std::ptrdiff_t>(row_bytes),
        canvas.rgb.begin() + to);
  }
}

/// All images, and for each set of prototypes which of them chose which.
struct Chosen {
  std::vector<Tile> tiles;
  std::vector<std::map<std::int32_t, std::vector<std::size_t>>> sets;
};

Result<Chosen> choose(
    trainer::Trainer& trainer,
    const service::Config& config,
    const std::string& path,
    std::uint64_t images) {
  Chosen chosen;
  const loader::LoaderOptions options = center_loader_options(config);
  const std::int32_t side = options.crops[0].size;
  const auto floats =
      static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * 3;
  SWAVD_RETURN_IF_ERROR(for_each_batch(
      path,
      {},
      options,
      trainer.allocator(),
      images,
      [&](const loader::Batch& batch) -> Status {
        if (batch.images == 0) {
          return ok_status();
        }
        const auto choices = trainer.assign(batch);
        if (!choices.ok()) {
          return choices.error();
        }
        const std::size_t first = chosen.tiles.size();
        for (std::size_t i = 0; i < batch.slots.size(); ++i) {
          chosen.tiles.push_back(to_tile(
              batch.groups[0].data.get() + i * floats, side, config.loader));
        }
        chosen.sets.resize(choices.value().size());
        for (std::size_t set = 0; set < chosen.sets.size(); ++set) {
          const std::vector<std::int32_t>& tops = choices.value()[set];
          for (std::size_t i = 0; i < tops.size(); ++i) {
            chosen.sets[set][tops[i]].push_back(first + i);
          }
        }
        return ok_status();
      }));
  return chosen;
}

/// The rows of one set.
loader::Image draw(
    const Chosen& chosen,
    std::size_t set,
    std::int32_t side,
    const GalleryOptions& options) {
  const auto& gathered = chosen.sets[set];
  std::vector<std::pair<std::size_t, std::int32_t>> busiest;
  for (const auto& [prototype, images] : gathered) {
    busiest.emplace_back(images.size(), prototype);
  }
  std::sort(busiest.rbegin(), busiest.rend());
  busiest.resize(
      std::min(busiest.size(), static_cast<std::size_t>(options.rows)));
  const std::int32_t pitch = side + kMargin;
  loader::Image canvas;
  canvas.width = options.columns * pitch + kMargin;
  canvas.height = static_cast<std::int32_t>(busiest.size()) * pitch + kMargin;
  canvas.rgb.assign(
      static_cast<std::size_t>(canvas.width) *
          static_cast<std::size_t>(canvas.height) * 3,
      kPaper);
  for (std::size_t row = 0; row < busiest.size(); ++row) {
    const std::vector<std::size_t>& images = gathered.at(busiest[row].second);
    const std::size_t count =
        std::min(images.size(), static_cast<std::size_t>(options.columns));
    for (std::size_t column = 0; column < count; ++column) {
      // Spread over all that chose it, not just the first of the path.
      paste(
          canvas,
          chosen.tiles[images[column * images.size() / count]],
          side,
          kMargin + static_cast<std::int32_t>(column) * pitch,
          kMargin + static_cast<std::int32_t>(row) * pitch);
    }
  }
  return canvas;
}

}  // namespace

std::string gallery_file(const std::string& folder, std::size_t set) {
  return set == 0 ? folder + "/gallery.png"
                  : fmt::format("{}/gallery.{}.png", folder, set);
}

Result<std::vector<std::string>> write_galleries(
    trainer::Trainer& trainer,
    const service::Config& config,
    const std::string& path,
    const std::string& folder,
    const GalleryOptions& options) {
  const auto chosen = choose(trainer, config, path, options.images);
  if (!chosen.ok()) {
    return chosen.error();
  }
  const auto side = static_cast<std::int32_t>(config.loader.eval_size);
  std::vector<std::string> pictures;
  for (std::size_t set = 0; set < chosen.value().sets.size(); ++set) {
    pictures.push_back(gallery_file(folder, set));
    const auto png =
        loader::encode_png(draw(chosen.value(), set, side, options));
    if (!png.ok()) {
      return png.error().with_context(pictures.back());
    }
    SWAVD_RETURN_IF_ERROR(write_file_durably(pictures.back(), png.value()));
  }
  return pictures;
}

std::string read_gallery(const std::string& folder, std::size_t set) {
  const auto picture = read_file(gallery_file(folder, set));
  return picture.ok() ? std::string(as_text(picture.value())) : std::string();
}

}  // namespace swavd::daemon
