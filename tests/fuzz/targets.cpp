#include "tests/fuzz/targets.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dedup_free_loader/crop_plan.h"
#include "dedup_free_loader/image.h"
#include "ops/base/check.h"

namespace swavd::fuzz {

namespace {

using loader::ChooseRegion;
using loader::DecodeLimits;
using loader::Image;
using loader::Region;
using loader::Rejection;

using Decoded = std::variant<Image, Rejection>;

/// Small, so that no input takes long.
DecodeLimits tight() {
  DecodeLimits limits;
  limits.max_bytes = std::uint64_t{1} << 20U;
  limits.max_pixels = std::uint64_t{1} << 18U;
  return limits;
}

/// Aborts unless the answer is whole: a picture with all its pixels, or a
/// reason in words.
void check_answer(const Decoded& decoded) {
  if (const auto* rejection = std::get_if<Rejection>(&decoded)) {
    SWAVD_CHECK(!rejection->detail.empty());
    return;
  }
  const auto& image = std::get<Image>(decoded);
  SWAVD_CHECK(image.width > 0 && image.height > 0);
  const auto pixels = static_cast<std::uint64_t>(image.width) *
                      static_cast<std::uint64_t>(image.height);
  SWAVD_CHECK(pixels <= tight().max_pixels);
  SWAVD_CHECK(image.rgb.size() == 3 * pixels);
}

void run_sniff(Bytes input) {
  const std::string format(loader::sniff_format(input));
  constexpr std::array<std::string_view, 8> kFormats = {
      "jpeg", "png", "webp", "gif", "bmp", "tiff", "avif", "unknown"};
  SWAVD_CHECK(std::ranges::find(kFormats, format) != kFormats.end());
  DecodeLimits limits = tight();
  limits.max_pixels = 1;  // the decoders have targets of their own
  const auto decoded = loader::decode_image(input, limits);
  const auto* rejection = std::get_if<Rejection>(&decoded);
  const bool unknown =
      rejection != nullptr &&
      rejection->reason == loader::RejectReason::kUnknownFormat;
  const bool looked = !input.empty() && input.size() <= limits.max_bytes;
  SWAVD_CHECK(unknown == (looked && format == "unknown"));
}

/// Decodes `input` with its first bytes replaced by the signature at `at`, so
/// that no time goes into guessing it.
void run_with_signature(
    Bytes input,
    std::string_view signature,
    std::size_t at = 0) {
  if (input.size() < at + signature.size()) {
    return;
  }
  ByteVector file(input.begin(), input.end());
  std::copy(
      signature.begin(),
      signature.end(),
      file.begin() + static_cast<std::ptrdiff_t>(at));
  check_answer(loader::decode_image(file, tight()));
  loader::DecodeOptions more(tight());
  more.exif_orientation = true;
  more.color_profiles = true;
  more.fill_truncated = true;
  check_answer(loader::decode_image(file, more));
}

void run_jpeg(Bytes input) {
  run_with_signature(input, "\xff\xd8\xff");
}

void run_png(Bytes input) {
  run_with_signature(input, "\x89PNG\r\n\x1a\n");
}

void run_gif(Bytes input) {
  run_with_signature(input, "GIF89a");
}

void run_webp(Bytes input) {
  if (input.size() < 4) {
    return;
  }
  ByteVector file(input.begin(), input.end());
  std::copy_n("RIFF", 4, file.begin());
  run_with_signature(file, "WEBP", 8);
}

void run_bmp(Bytes input) {
  run_with_signature(input, "BM");
}

void run_tiff(Bytes input) {
  using std::string_view_literals::operator""sv;
  const bool big_endian = !input.empty() && input[0] == 'M';
  run_with_signature(input, big_endian ? "MM\0*"sv : "II*\0"sv);
}

void run_avif(Bytes input) {
  run_with_signature(input, "ftypavif", 4);
}

/// Takes numbers from the end of the input, where a file has least to lose.
class Numbers {
 public:
  explicit Numbers(Bytes input) : rest_(input) {}

  [[nodiscard]] std::uint32_t next() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4 && !rest_.empty(); ++i) {
      value = value << 8U | rest_.back();
      rest_ = rest_.first(rest_.size() - 1);
    }
    return value;
  }

  /// In [0, bound).
  [[nodiscard]] std::int32_t below(std::int32_t bound) {
    return static_cast<std::int32_t>(
        next() % static_cast<std::uint32_t>(bound));
  }

  /// In [low, high].
  [[nodiscard]] double between(double low, double high) {
    constexpr double kMost = 4294967295.0;
    return low + (high - low) * (next() / kMost);
  }

 private:
  Bytes rest_;
};

void check_part(const Image& part, const Region& region, const Image& whole) {
  SWAVD_CHECK(part.x >= 0 && part.y >= 0);
  SWAVD_CHECK(part.x <= region.x && part.y <= region.y);
  SWAVD_CHECK(part.x + part.width >= region.x + region.width);
  SWAVD_CHECK(part.y + part.height >= region.y + region.height);
  SWAVD_CHECK(part.x + part.width <= whole.width);
  SWAVD_CHECK(part.y + part.height <= whole.height);
  const auto at = [](const Image& image, std::int32_t x, std::int32_t y) {
    return image.rgb.data() +
           3 * (static_cast<std::ptrdiff_t>(y - image.y) * image.width + x -
                image.x);
  };
  for (std::int32_t y = region.y; y < region.y + region.height; ++y) {
    SWAVD_CHECK(
        std::memcmp(
            at(part, region.x, y),
            at(whole, region.x, y),
            3 * static_cast<std::size_t>(region.width)) == 0);
  }
}

/// Damage beyond the region is not seen: so a part may be given where the whole
/// is refused, and only where both are given are they compared.
void run_region(Bytes input) {
  if (input.size() < 3) {
    return;
  }
  ByteVector file(input.begin(), input.end());
  std::copy_n("\xff\xd8\xff", 3, file.begin());
  Region region;
  const auto choose = [&](std::int32_t width, std::int32_t height) {
    Numbers numbers(input);
    region.x = numbers.below(width);
    region.y = numbers.below(height);
    region.width = 1 + numbers.below(width - region.x);
    region.height = 1 + numbers.below(height - region.y);
    return region;
  };
  const auto part = loader::decode_image(file, tight(), choose);
  check_answer(part);
  const auto whole = loader::decode_image(file, tight());
  if (std::holds_alternative<Image>(part) &&
      std::holds_alternative<Image>(whole)) {
    check_part(std::get<Image>(part), region, std::get<Image>(whole));
  }
}

loader::AugmentOptions some_options(Numbers& numbers) {
  loader::AugmentOptions options;
  options.flip_probability = numbers.between(0, 1);
  options.jitter_probability = numbers.between(0, 1);
  options.jitter_strength = numbers.between(0, 4);
  options.gray_probability = numbers.between(0, 1);
  options.blur_probability = numbers.between(0, 1);
  options.blur_sigma_min = numbers.between(0, 4);
  options.blur_sigma_max = numbers.between(options.blur_sigma_min, 8);
  return options;
}

std::vector<loader::CropSpec> some_crops(Numbers& numbers) {
  std::vector<loader::CropSpec> crops(
      static_cast<std::size_t>(1 + numbers.below(4)));
  for (loader::CropSpec& crop : crops) {
    crop.count = 1 + numbers.below(8);
    crop.size = 1 + numbers.below(512);
    crop.scale_min = numbers.between(1e-9, 1);
    crop.scale_max = numbers.between(crop.scale_min, 1);
  }
  return crops;
}

void check_plan(
    const loader::CropPlan& plan,
    std::int32_t width,
    std::int32_t height,
    const Region& all) {
  SWAVD_CHECK(plan.x >= 0 && plan.y >= 0);
  SWAVD_CHECK(plan.width > 0 && plan.height > 0);
  SWAVD_CHECK(plan.width <= width && plan.x <= width - plan.width);
  SWAVD_CHECK(plan.height <= height && plan.y <= height - plan.height);
  SWAVD_CHECK(plan.x >= all.x && plan.y >= all.y);
  SWAVD_CHECK(plan.x + plan.width <= all.x + all.width);
  SWAVD_CHECK(plan.y + plan.height <= all.y + all.height);
  SWAVD_CHECK(plan.brightness >= 0 && plan.contrast >= 0);
  SWAVD_CHECK(plan.saturation >= 0);
  SWAVD_CHECK(plan.hue >= -0.5F && plan.hue <= 0.5F);
  SWAVD_CHECK(plan.blur_sigma >= 0);
}

void run_crops(Bytes input) {
  Numbers numbers(input);
  // Any size that the pixel limit lets through.
  const auto most = static_cast<std::int32_t>(DecodeLimits().max_pixels);
  const std::int32_t width = 1 + numbers.below(most);
  const std::int32_t height = 1 + numbers.below(most / width);
  const std::uint64_t seed = numbers.next();
  const auto offset = static_cast<std::int64_t>(numbers.next());
  const loader::AugmentOptions options = some_options(numbers);
  const std::vector<loader::CropSpec> crops = some_crops(numbers);
  const auto plans = loader::draw_crop_plans(
      seed,
      {.topic = "images", .partition = 0, .offset = offset},
      width,
      height,
      crops,
      options);
  const Region all = loader::union_of(plans);
  SWAVD_CHECK(all.x >= 0 && all.width <= width && all.x <= width - all.width);
  SWAVD_CHECK(
      all.y >= 0 && all.height <= height && all.y <= height - all.height);
  for (const loader::CropPlan& plan : plans) {
    check_plan(plan, width, height, all);
  }
}

constexpr std::array<Target, 10> kTargets = {
    {{"sniff", "", run_sniff},
     {"jpeg", "jpeg", run_jpeg},
     {"png", "png", run_png},
     {"webp", "webp", run_webp},
     {"gif", "gif", run_gif},
     {"bmp", "bmp", run_bmp},
     {"tiff", "tiff", run_tiff},
     {"avif", "avif", run_avif},
     {"region", "jpeg", run_region},
     {"crops", "other", run_crops}}};

}  // namespace

std::span<const Target> targets() {
  return kTargets;
}

const Target& target_of(std::string_view name) {
  const auto* found =
      std::find_if(kTargets.begin(), kTargets.end(), [&](const Target& target) {
        return target.name == name;
      });
  SWAVD_CHECK(found != kTargets.end());
  return *found;
}

}  // namespace swavd::fuzz
