// Name maps of RegNet trunks, as the four libraries' sources have them.
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>

#include <fmt/format.h>

#include "state/layouts.h"

namespace swavd::state {

namespace {

/// One stem of names, up to the last component, per layout.
struct Names {
  std::string_view hugging_face;
  std::string_view torchvision;
  std::string_view timm;
  std::string_view vissl;  ///< empty: not part of VISSL's trunk
};

constexpr std::array kOutside = {
    Names{
        "embedder.embedder.convolution",
        "stem.0",
        "stem.conv",
        "_feature_blocks.conv1.stem.0"},
    Names{
        "embedder.embedder.normalization",
        "stem.1",
        "stem.bn",
        "_feature_blocks.conv1.stem.1"},
    Names{"classifier.1", "fc", "head.fc", ""}};

/// Inside a block of type Y. Type X has no squeeze-and-excitation, so there
/// the last convolution is layer.2: told apart by what follows the number.
constexpr std::array kInside = {
    Names{"shortcut.convolution", "proj.0", "downsample.conv", "proj"},
    Names{"shortcut.normalization", "proj.1", "downsample.bn", "bn"},
    Names{"layer.0.convolution", "f.a.0", "conv1.conv", "f.a.0"},
    Names{"layer.0.normalization", "f.a.1", "conv1.bn", "f.a.1"},
    Names{"layer.1.convolution", "f.b.0", "conv2.conv", "f.b.0"},
    Names{"layer.1.normalization", "f.b.1", "conv2.bn", "f.b.1"},
    Names{"layer.2.attention.0", "f.se.fc1", "se.fc1", "f.se.excitation.0"},
    Names{"layer.2.attention.2", "f.se.fc2", "se.fc2", "f.se.excitation.2"},
    Names{"layer.3.convolution", "f.c.0", "conv3.conv", "f.c"},
    Names{"layer.3.normalization", "f.c.1", "conv3.bn", "f.final_bn"},
    Names{"layer.2.convolution", "f.c.0", "conv3.conv", "f.c"},
    Names{"layer.2.normalization", "f.c.1", "conv3.bn", "f.final_bn"}};

std::string_view in_layout(const Names& names, Layout layout) {
  switch (layout) {
    case Layout::kHuggingFace:
      return names.hugging_face;
    case Layout::kTorchvision:
      return names.torchvision;
    case Layout::kTimm:
      return names.timm;
    case Layout::kVissl:
      return names.vissl;
  }
  SWAVD_CHECK(false);
}

template <std::size_t N>
std::string_view
look_up(const std::array<Names, N>& table, std::string_view stem, Layout to) {
  for (const Names& names : table) {
    if (names.hugging_face == stem) {
      return in_layout(names, to);
    }
  }
  return {};
}

/// True for what a convolution, normalisation or linear layer holds.
bool is_leaf(std::string_view leaf) {
  return leaf == "weight" || leaf == "bias" || leaf == "running_mean" ||
         leaf == "running_var" || leaf == "num_batches_tracked";
}

/// Takes `literal` off the front.
bool take(std::string_view& text, std::string_view literal) {
  if (!text.starts_with(literal)) {
    return false;
  }
  text.remove_prefix(literal.size());
  return true;
}

/// Takes a number and the dot behind it off the front.
std::optional<unsigned> take_number(std::string_view& text) {
  unsigned number = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc()) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return take(text, ".") ? std::optional(number) : std::nullopt;
}

/// The prefix of block `block` of stage `stage`, both from 0.
std::string block_prefix(unsigned stage, unsigned block, Layout to) {
  const unsigned s = stage + 1;
  switch (to) {
    case Layout::kHuggingFace:
      return fmt::format("encoder.stages.{}.layers.{}.", stage, block);
    case Layout::kTorchvision:
      return fmt::format("trunk_output.block{}.block{}-{}.", s, s, block);
    case Layout::kTimm:
      return fmt::format("s{}.b{}.", s, block + 1);
    case Layout::kVissl:
      return fmt::format("_feature_blocks.res{}.block{}-{}.", s + 1, s, block);
  }
  SWAVD_CHECK(false);
}

std::optional<std::string> renamed(std::string_view name, Layout to) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || !is_leaf(name.substr(dot + 1))) {
    return std::nullopt;
  }
  const std::string_view leaf = name.substr(dot);
  std::string_view stem = name.substr(0, dot);
  std::string prefix;
  std::string_view found;
  if (take(stem, "encoder.stages.")) {
    const auto stage = take_number(stem);
    if (!stage || !take(stem, "layers.")) {
      return std::nullopt;
    }
    const auto block = take_number(stem);
    if (!block) {
      return std::nullopt;
    }
    prefix = block_prefix(*stage, *block, to);
    found = look_up(kInside, stem, to);
  } else {
    found = look_up(kOutside, stem, to);
  }
  if (found.empty()) {
    return std::nullopt;
  }
  return fmt::format("{}{}{}", prefix, found, leaf);
}

}  // namespace

Result<std::string> rename(std::string_view hf_name, Layout to) {
  auto name = renamed(hf_name, to);
  if (!name) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "{} is no tensor of a RegNet trunk in that layout", hf_name)};
  }
  return std::move(*name);
}

}  // namespace swavd::state
