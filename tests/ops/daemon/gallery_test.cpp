#include "ops/daemon/gallery.h"

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dedup_free_loader/image.h"
#include "ops/base/files.h"
#include "tests/state/sample.h"

namespace swavd::daemon {
namespace {

using Colour = std::array<std::uint8_t, 3>;

constexpr Colour kRed = {255, 0, 0};
constexpr Colour kBlue = {0, 0, 255};
constexpr Colour kWhite = {255, 255, 255};
constexpr std::int32_t kSide = 8;
constexpr std::int32_t kPitch = kSide + 2;  // with the margin

/// Learns nothing. In the first set of prototypes red images choose 5 and blue
/// ones 2, in the others all choose 0.
class ColourTrainer final : public trainer::Trainer {
 public:
  explicit ColourTrainer(std::size_t sets) : sets_(sets) {}

  loader::BufferAllocator allocator() override { return inner_->allocator(); }

  Result<trainer::StepReport> step(const loader::Batch& batch, double rate)
      override {
    return inner_->step(batch, rate);
  }

  state::FrozenState freeze() override { return inner_->freeze(); }

  Status restore(state::SnapshotReader& snapshot) override {
    return inner_->restore(snapshot);
  }

  Status restore_model(
      state::SnapshotReader& snapshot,
      trainer::Weights weights) override {
    return inner_->restore_model(snapshot, weights);
  }

  Status begin_with(const trainer::InitialWeights& weights) override {
    return inner_->begin_with(weights);
  }

  void stop_averaging() override {}

  Result<trainer::Features> embed(const loader::Batch& batch) override {
    return inner_->embed(batch);
  }

  Result<trainer::Choices> assign(const loader::Batch& batch) override {
    const auto images = static_cast<std::size_t>(batch.images);
    trainer::Choices choices(sets_, std::vector<std::int32_t>(images, 0));
    for (std::size_t i = 0; i < images; ++i) {
      const float* pixel =
          batch.groups[0].data.get() + i * kSide * kSide * std::size_t{3};
      choices[0][i] = pixel[0] > pixel[2] ? 5 : 2;
    }
    return choices;
  }

  std::uint64_t steps() const override { return 0; }

  std::int64_t prototypes() const override { return 6; }

 private:
  std::size_t sets_;
  std::unique_ptr<trainer::Trainer> inner_ = trainer::make_ledger_trainer();
};

class Gallery : public ::testing::Test {
 protected:
  Gallery() {
    service::LoadedConfig loaded = service::load_config(
        {"", {"loader.eval_size=8", "loader.eval_resize=8"}, {}});
    config_ = std::move(loaded.config);
    std::filesystem::create_directories(folder_ / "images");
    std::filesystem::create_directories(folder_ / "data");
    for (const char* name : {"a", "b", "c"}) {
      write(name, kRed);
    }
    write("d", kBlue);
  }

  void write(const std::string& name, const Colour& colour) {
    loader::Image image;
    image.width = image.height = kSide;
    for (std::int32_t i = 0; i < kSide * kSide; ++i) {
      image.rgb.insert(image.rgb.end(), colour.begin(), colour.end());
    }
    const std::string path = folder_ / ("images/" + name + ".png");
    const auto png = loader::encode_png(image);
    ASSERT_TRUE(png.ok() && write_file_durably(path, png.value()).ok());
  }

  Result<std::vector<std::string>> write_all(std::size_t sets) {
    ColourTrainer trainer(sets);
    GalleryOptions options;
    options.rows = 4;
    options.columns = 3;
    return write_galleries(
        trainer, config_, folder_ / "images", folder_ / "data", options);
  }

  loader::Image picture(std::size_t set) {
    const std::string png = read_gallery(folder_ / "data", set);
    auto image = loader::decode_image(as_bytes(png), {});
    EXPECT_TRUE(std::holds_alternative<loader::Image>(image));
    return std::get<loader::Image>(std::move(image));
  }

  /// The middle of a tile.
  static Colour tile(const loader::Image& image, int row, int column) {
    const std::int32_t y = 2 + row * kPitch + kSide / 2;
    const std::int32_t x = 2 + column * kPitch + kSide / 2;
    const auto at = static_cast<std::size_t>((y * image.width + x) * 3);
    return {image.rgb[at], image.rgb[at + 1], image.rgb[at + 2]};
  }

  service::Config config_;
  state::TemporaryFolder folder_;
};

TEST_F(Gallery, HasARowForEachPrototypeTheBusiestFirst) {
  const auto pictures = write_all(1);
  ASSERT_TRUE(pictures.ok()) << pictures.error().message;
  const std::string data = folder_ / "data";
  EXPECT_THAT(pictures.value(), testing::ElementsAre(data + "/gallery.png"));
  const loader::Image image = picture(0);
  EXPECT_EQ(image.height, 2 + 2 * kPitch);
  EXPECT_EQ(image.width, 2 + 3 * kPitch);
  for (const int column : {0, 1, 2}) {
    EXPECT_EQ(tile(image, 0, column), kRed);
  }
  EXPECT_EQ(tile(image, 1, 0), kBlue);
  EXPECT_EQ(tile(image, 1, 1), kWhite);
  EXPECT_EQ(read_gallery(data, 1), "");
}

TEST_F(Gallery, HasAPictureForEachSetOfPrototypes) {
  const auto pictures = write_all(3);
  ASSERT_TRUE(pictures.ok()) << pictures.error().message;
  const std::string data = folder_ / "data";
  EXPECT_THAT(
      pictures.value(),
      testing::ElementsAre(
          data + "/gallery.png",
          data + "/gallery.1.png",
          data + "/gallery.2.png"));
  EXPECT_EQ(picture(0).height, 2 + 2 * kPitch);
  for (const std::size_t set : {1, 2}) {
    const loader::Image all = picture(set);
    EXPECT_EQ(all.height, 2 + kPitch) << set;
    // Three of the four images, evenly spread: the last is the third.
    EXPECT_EQ(tile(all, 0, 0), kRed);
    EXPECT_EQ(tile(all, 0, 2), kRed);
  }
}

}  // namespace
}  // namespace swavd::daemon
