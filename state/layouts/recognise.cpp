// Which layout somebody's file has, and what each tensor in it is to us.
#include <charconv>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "state/layouts.h"
#include "state/layouts/family_names.h"
#include "state/layouts/name_pattern.h"

namespace swavd::state {

namespace {

using NameSet = std::set<std::string, std::less<>>;

/// VISSL's names end like torchvision's, so they are looked for first.
constexpr Layout kLookedFor[] = {
    Layout::kVissl,
    Layout::kHuggingFace,
    Layout::kTimm,
    Layout::kTorchvision};

Error strange_file(std::string message) {
  return Error{ErrorCode::kInvalidArgument, std::move(message)};
}

/// What stands in front of `tail` in `name`; nullopt when `name` does not end
/// with it at the beginning of a component.
std::optional<std::string_view> before(
    std::string_view name,
    std::string_view tail) {
  if (!name.ends_with(tail)) {
    return std::nullopt;
  }
  const std::string_view front = name.substr(0, name.size() - tail.size());
  return front.empty() || front.ends_with('.') ? std::optional(front)
                                               : std::nullopt;
}

/// True for "block1-part0".
bool is_part_of_stage(std::string_view component) {
  std::string with_dot(component);
  with_dot += '.';
  const auto found = match("block{s}-part{b}.", with_dot);
  return found && found->rest.empty();
}

/// A name without the groups that sharded training puts blocks into.
std::string without_parts(std::string_view name) {
  std::string kept;
  while (!name.empty()) {
    const std::size_t dot = name.find('.');
    const std::string_view component = name.substr(0, dot);
    const std::size_t taken =
        dot == std::string_view::npos ? name.size() : dot + 1;
    if (!is_part_of_stage(component)) {
      kept += name.substr(0, taken);
    }
    name.remove_prefix(taken);
  }
  return kept;
}

/// Every prefix behind which both the stem and the first block are found.
std::vector<std::string>
trunks_in(const FamilyNames& family, const NameSet& names, Layout layout) {
  const std::string stem =
      fmt::format("{}.weight", in_layout(family.outside.front(), layout));
  const std::string block = fmt::format(
      "{}{}.weight",
      fill(in_layout(family.block, layout), {0, 0}),
      in_layout(family.inside.front(), layout));
  std::vector<std::string> prefixes;
  for (const std::string& name : names) {
    const auto prefix = before(name, stem);
    if (prefix && names.contains(fmt::format("{}{}", *prefix, block))) {
      prefixes.emplace_back(*prefix);
    }
  }
  return prefixes;
}

struct Trunk {
  Layout layout = Layout::kHuggingFace;
  std::string prefix;
};

Result<Trunk> find_trunk(const FamilyNames& family, const NameSet& names) {
  for (const Layout layout : kLookedFor) {
    const auto prefixes = trunks_in(family, names, layout);
    if (prefixes.size() > 1) {
      return strange_file(fmt::format(
          "it holds {} trunks, \"{}\": write a file with the one that is meant",
          prefixes.size(),
          fmt::join(prefixes, "\", \"")));
    }
    if (prefixes.size() == 1) {
      return Trunk{layout, prefixes.front()};
    }
  }
  return strange_file(fmt::format(
      "no stem and first block of such a trunk is in it under the names of "
      "Hugging Face ({}), torchvision ({}), timm ({}) or VISSL ({}), with or "
      "without a prefix; it begins with {}",
      family.outside.front().hugging_face,
      family.outside.front().torchvision,
      family.outside.front().timm,
      family.outside.front().vissl,
      names.empty() ? "nothing" : *names.begin()));
}

/// Which set of prototypes a name is of: "prototypes.weight" is of the only
/// one; VISSL and SwAV count "prototypes0.weight", a snapshot
/// "prototypes.0.weight". nullopt for any other name.
std::optional<std::size_t> prototype_set(std::string_view name) {
  constexpr std::string_view kLeaf = ".weight";
  constexpr std::string_view kDigits = "0123456789";
  if (!name.ends_with(kLeaf)) {
    return std::nullopt;
  }
  name.remove_suffix(kLeaf.size());
  if (before(name, "prototypes")) {
    return 0;
  }
  const std::size_t digits = name.find_last_not_of(kDigits) + 1;
  const std::string_view front = name.substr(0, digits);
  if (!before(front, "prototypes") && !before(front, "prototypes.")) {
    return std::nullopt;
  }
  std::size_t set = 0;
  const char* end = name.data() + name.size();
  const auto [read, error] = std::from_chars(name.data() + digits, end, set);
  return error == std::errc() && read == end ? std::optional(set)
                                             : std::nullopt;
}

/// What the sets of prototypes in a file are called in a snapshot, where one
/// set alone has no number.
class PrototypeNames {
 public:
  explicit PrototypeNames(std::span<const std::string> names) {
    for (const std::string& name : names) {
      several_ = several_ || prototype_set(name).value_or(0) > 0;
    }
  }

  [[nodiscard]] std::string name_of(std::size_t set) const {
    return several_ ? fmt::format("prototypes.{}.weight", set)
                    : std::string("prototypes.weight");
  }

 private:
  bool several_ = false;
};

/// The head's tensor that a name ends with. SwAV's and VISSL's heads are alike
/// but for what stands in front and the numbers of the prototypes.
ForeignName head_name(std::string_view name, const PrototypeNames& prototypes) {
  constexpr std::string_view kProjection = "projection_head.";
  if (const auto set = prototype_set(name)) {
    return {ForeignPart::kPrototypes, prototypes.name_of(*set)};
  }
  const std::size_t at = name.rfind(kProjection);
  if (at != std::string_view::npos && (at == 0 || name[at - 1] == '.')) {
    return {ForeignPart::kHead, std::string(name.substr(at))};
  }
  return {};
}

bool is_classifier(const FamilyNames& family, std::string_view name) {
  for (const Layout layout : kLayouts) {
    const std::string_view stem = in_layout(family.classifier, layout);
    for (const std::string_view leaf : {".weight", ".bias"}) {
      if (before(name, fmt::format("{}{}", stem, leaf))) {
        return true;
      }
    }
  }
  return false;
}

ForeignName recognise(
    TrunkFamily family,
    const Trunk& trunk,
    Layout own_layout,
    const PrototypeNames& prototypes,
    std::string_view name) {
  if (name.starts_with(trunk.prefix)) {
    auto own = rename(
        family, name.substr(trunk.prefix.size()), trunk.layout, own_layout);
    if (own.ok()) {
      return {ForeignPart::kTrunk, std::move(own).value()};
    }
  }
  ForeignName head = head_name(name, prototypes);
  if (head.part != ForeignPart::kUnknown) {
    return head;
  }
  return {
      is_classifier(names_of(family), name) ? ForeignPart::kClassifier
                                            : ForeignPart::kUnknown,
      {}};
}

}  // namespace

Result<ForeignNames> recognise_names(
    TrunkFamily family,
    std::span<const std::string> names,
    Layout own) {
  std::vector<std::string> plain;
  plain.reserve(names.size());
  for (const std::string& name : names) {
    plain.push_back(without_parts(name));
  }
  auto trunk =
      find_trunk(names_of(family), NameSet(plain.begin(), plain.end()));
  if (!trunk.ok()) {
    return trunk.error();
  }
  const PrototypeNames prototypes(plain);
  ForeignNames result{trunk.value().layout, own, trunk.value().prefix, {}};
  std::map<std::string, std::string, std::less<>> taken;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    ForeignName found =
        recognise(family, trunk.value(), own, prototypes, plain[i]);
    if (!found.name.empty()) {
      const auto [at, fresh] = taken.emplace(found.name, names[i]);
      if (!fresh) {
        return strange_file(fmt::format(
            "{} and {} are both {}: write a file with the one that is meant",
            at->second,
            names[i],
            found.name));
      }
    }
    result.names.push_back(std::move(found));
  }
  return result;
}

}  // namespace swavd::state
