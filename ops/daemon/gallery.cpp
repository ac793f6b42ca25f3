#include "ops/daemon/gallery.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

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

using Chosen = std::map<std::int32_t, std::vector<Tile>>;

Result<Chosen> choose(
    trainer::Trainer& trainer,
    const service::Config& config,
    const std::string& path,
    std::uint64_t images) {
  Chosen chosen;
  const loader::LoaderOptions options = center_loader_options(config);
  const std::int32_t side = options.crops[0].size;
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
        auto tops = trainer.assign(batch);
        if (!tops.ok()) {
          return tops.error();
        }
        const auto floats =
            static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * 3;
        for (std::size_t i = 0; i < tops.value().size(); ++i) {
          chosen[tops.value()[i]].push_back(to_tile(
              batch.groups[0].data.get() + i * floats, side, config.loader));
        }
        return ok_status();
      }));
  return chosen;
}

}  // namespace

Status write_gallery(
    trainer::Trainer& trainer,
    const service::Config& config,
    const std::string& path,
    const std::string& picture,
    const GalleryOptions& options) {
  auto chosen = choose(trainer, config, path, options.images);
  if (!chosen.ok()) {
    return chosen.error();
  }
  std::vector<std::pair<std::size_t, std::int32_t>> busiest;
  for (const auto& [prototype, tiles] : chosen.value()) {
    busiest.emplace_back(tiles.size(), prototype);
  }
  std::sort(busiest.rbegin(), busiest.rend());
  busiest.resize(
      std::min(busiest.size(), static_cast<std::size_t>(options.rows)));
  const auto side = static_cast<std::int32_t>(config.loader.eval_size);
  const std::int32_t pitch = side + kMargin;
  loader::Image canvas;
  canvas.width = options.columns * pitch + kMargin;
  canvas.height = static_cast<std::int32_t>(busiest.size()) * pitch + kMargin;
  canvas.rgb.assign(
      static_cast<std::size_t>(canvas.width) *
          static_cast<std::size_t>(canvas.height) * 3,
      kPaper);
  for (std::size_t row = 0; row < busiest.size(); ++row) {
    const std::vector<Tile>& tiles = chosen.value()[busiest[row].second];
    const std::size_t count =
        std::min(tiles.size(), static_cast<std::size_t>(options.columns));
    for (std::size_t column = 0; column < count; ++column) {
      // Spread over all that chose it, not just the first of the path.
      const Tile& tile = tiles[column * tiles.size() / count];
      paste(
          canvas,
          tile,
          side,
          kMargin + static_cast<std::int32_t>(column) * pitch,
          kMargin + static_cast<std::int32_t>(row) * pitch);
    }
  }
  auto png = loader::encode_png(canvas);
  if (!png.ok()) {
    return png.error().with_context(picture);
  }
  return write_file_durably(picture, png.value());
}

}  // namespace swavd::daemon
