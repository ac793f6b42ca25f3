#include "dedup_free_loader/decode/color_profile.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <lcms2.h>

#include "dedup_free_loader/decode/parts.h"

namespace swavd::loader {

namespace {

using std::string_view_literals::operator""sv;

// Those of printing presses have up to about 2 MB.
constexpr std::size_t kMaxProfileBytes = 4U << 20U;

struct CloseProfile {
  void operator()(void* profile) const { cmsCloseProfile(profile); }
};

using Profile = std::unique_ptr<void, CloseProfile>;

/// The library's word for samples in the colours of a profile; nullopt when
/// these do not go together.
std::optional<cmsUInt32Number> input_format(
    cmsColorSpaceSignature colors,
    Samples samples) {
  const bool ink = samples == Samples::kInk || samples == Samples::kInkInverted;
  switch (colors) {
    case cmsSigGrayData:
      if (samples == Samples::kGray) {
        return TYPE_GRAY_8 | EXTRA_SH(2);
      }
      break;
    case cmsSigRgbData:
      if (!ink) {
        return TYPE_RGB_8;
      }
      break;
    case cmsSigCmykData:
      if (ink) {
        return samples == Samples::kInk ? TYPE_CMYK_8 : TYPE_CMYK_8_REV;
      }
      break;
    default:
      break;
  }
  return std::nullopt;
}

/// True when RGB stays what it is, within a level.
bool changes_nothing(const SrgbTransform& transform) {
  constexpr int kStep = 15;  // a divisor of 255
  std::vector<std::uint8_t> colors;
  for (int red = 0; red <= 255; red += kStep) {
    for (int green = 0; green <= 255; green += kStep) {
      for (int blue = 0; blue <= 255; blue += kStep) {
        for (const int level : {red, green, blue}) {
          colors.push_back(static_cast<std::uint8_t>(level));
        }
      }
    }
  }
  std::vector<std::uint8_t> converted(colors.size());
  transform.convert(colors.data(), colors.size() / 3, converted.data());
  return std::equal(
      colors.begin(), colors.end(), converted.begin(), [](int a, int b) {
        return std::abs(a - b) <= 1;
      });
}

std::unique_ptr<SrgbTransform>
make_transform(Bytes bytes, Samples samples, void* srgb) {
  const Profile profile(cmsOpenProfileFromMem(
      bytes.data(), static_cast<cmsUInt32Number>(bytes.size())));
  if (profile == nullptr || srgb == nullptr) {
    return nullptr;
  }
  const auto format = input_format(cmsGetColorSpace(profile.get()), samples);
  void* const lcms = format ? cmsCreateTransform(
                                  profile.get(),
                                  *format,
                                  srgb,
                                  TYPE_RGB_8,
                                  INTENT_PERCEPTUAL,
                                  /*dwFlags=*/0)
                            : nullptr;
  if (lcms == nullptr) {
    return nullptr;
  }
  auto transform = std::make_unique<SrgbTransform>(lcms);
  const bool needed = *format != TYPE_RGB_8 || !changes_nothing(*transform);
  return needed ? std::move(transform) : nullptr;
}

/// The profiles seen last. Most pictures have one of a few.
class Remembered {
 public:
  const SrgbTransform* find(Bytes profile, Samples samples) {
    for (const Entry& entry : entries_) {
      if (entry.samples == samples && std::equal(
                                          entry.profile.begin(),
                                          entry.profile.end(),
                                          profile.begin(),
                                          profile.end())) {
        return entry.transform.get();
      }
    }
    Entry& oldest = entries_[next_];
    next_ = (next_ + 1) % entries_.size();
    oldest.samples = samples;
    oldest.transform = make_transform(profile, samples, srgb_.get());
    oldest.profile.assign(profile.begin(), profile.end());
    return oldest.transform.get();
  }

 private:
  struct Entry {
    ByteVector profile;
    Samples samples = Samples::kRgb;
    std::unique_ptr<SrgbTransform> transform;
  };

  Profile srgb_{cmsCreate_sRGBProfile()};
  std::array<Entry, 8> entries_;
  std::size_t next_ = 0;
};

Remembered& remembered() {
  thread_local Remembered of_this_thread;
  return of_this_thread;
}

/// The segments of a JPEG's profile say which one of how many they are.
ByteVector join_segments(FileParts parts) {
  constexpr std::string_view kApp2 = "\xE2";
  constexpr auto kTag = "ICC_PROFILE\0"sv;
  constexpr std::size_t kHeader = kTag.size() + 2;
  std::map<std::uint8_t, Bytes> pieces;
  std::size_t count = 0;
  while (const auto part = parts.next()) {
    if (part->kind == kApp2 && as_text(part->data).starts_with(kTag) &&
        part->data.size() >= kHeader) {
      pieces.emplace(part->data[kTag.size()], part->data.subspan(kHeader));
      count = part->data[kTag.size() + 1];
    }
  }
  ByteVector profile;
  for (const auto& [number, piece] : pieces) {
    profile.insert(profile.end(), piece.begin(), piece.end());
  }
  const bool whole = pieces.size() == count && pieces.contains(1);
  return whole ? profile : ByteVector();
}

}  // namespace

SrgbTransform::~SrgbTransform() {
  cmsDeleteTransform(transform_);
}

void SrgbTransform::convert(
    const std::uint8_t* row,
    std::size_t width,
    std::uint8_t* rgb) const {
  cmsDoTransform(transform_, row, rgb, static_cast<cmsUInt32Number>(width));
}

void SrgbTransform::convert(Image& image) const {
  const auto width = static_cast<std::size_t>(image.width);
  for (std::size_t at = 0; at < image.rgb.size(); at += 3 * width) {
    convert(&image.rgb[at], width, &image.rgb[at]);
  }
}

const SrgbTransform* find_transform(Bytes profile, Samples samples) {
  return profile.empty() || profile.size() > kMaxProfileBytes
             ? nullptr
             : remembered().find(profile, samples);
}

ByteVector embedded_profile(Bytes file) {
  if (sniff_format(file) == "jpeg") {
    return join_segments(FileParts(file));
  }
  FileParts parts(file);
  while (const auto part = parts.next()) {
    if (part->kind == "ICCP") {
      return {part->data.begin(), part->data.end()};
    }
  }
  return {};
}

void prepare_transforms() {
  remembered();
}

}  // namespace swavd::loader
