#include "trainer/model/weight_match.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace swavd::trainer {

namespace {

using state::ForeignPart;

bool is_float(state::DType dtype) {
  return dtype != state::DType::kI64 && dtype != state::DType::kU64;
}

ForeignPart part_of(const TensorSpec& spec) {
  if (spec.name.starts_with("prototypes.")) {
    return ForeignPart::kPrototypes;
  }
  return is_head_tensor(spec.name) ? ForeignPart::kHead : ForeignPart::kTrunk;
}

bool whole(const PartMatch& part) {
  return part.matched == part.wanted && part.extra == 0;
}

void blame(PartMatch& part, std::string what) {
  if (part.first_mismatch.empty()) {
    part.first_mismatch = std::move(what);
  }
}

/// The comparison under way.
class Comparison {
 public:
  Comparison(
      const std::vector<state::TensorEntry>& tensors,
      const state::ForeignNames& names,
      state::TrunkFamily family)
      : tensors_(tensors),
        names_(names),
        family_(family) {
    for (std::size_t i = 0; i < names.names.size(); ++i) {
      if (!names.names[i].name.empty()) {
        by_own_name_.emplace(names.names[i].name, i);
      }
    }
  }

  void compare(const TensorSpec& spec) {
    known_.insert(spec.name);
    const auto at = by_own_name_.find(spec.name);
    if (spec.role == Role::kCounter) {
      if (at != by_own_name_.end() && is_counter(tensors_[at->second])) {
        match_.sources.emplace(spec.name, at->second);
      }
      return;
    }
    PartMatch& part = part_match(part_of(spec));
    ++part.wanted;
    if (at == by_own_name_.end()) {
      blame(part, foreign_name(spec) + " is missing");
      return;
    }
    ++part.found;
    const state::TensorEntry& theirs = tensors_[at->second];
    if (theirs.shape != spec.shape || !is_float(theirs.dtype)) {
      blame(
          part,
          fmt::format(
              "{} is {} [{}] there and F32 [{}] here",
              theirs.name,
              to_string(theirs.dtype),
              fmt::join(theirs.shape, ", "),
              fmt::join(spec.shape, ", ")));
      return;
    }
    ++part.matched;
    match_.sources.emplace(spec.name, at->second);
  }

  /// To be called after the last `compare`: looks at what is none of the
  /// model's, and decides which parts are taken.
  WeightMatch finish() {
    for (std::size_t i = 0; i < names_.names.size(); ++i) {
      look_at(i);
    }
    count_prototype_sets();
    match_.trunk.taken = whole(match_.trunk);
    match_.head.taken = whole(match_.head);
    match_.prototypes.taken = match_.head.taken && whole(match_.prototypes);
    drop_what_is_not_taken();
    return std::move(match_);
  }

 private:
  static bool is_counter(const state::TensorEntry& tensor) {
    return tensor.dtype == state::DType::kI64 && tensor.shape.empty();
  }

  PartMatch& part_match(ForeignPart part) {
    if (part == ForeignPart::kPrototypes) {
      return match_.prototypes;
    }
    return part == ForeignPart::kHead ? match_.head : match_.trunk;
  }

  /// What their files would call a tensor of ours.
  [[nodiscard]] std::string foreign_name(const TensorSpec& spec) const {
    const auto name =
        state::rename(family_, spec.name, names_.own, names_.layout);
    return name.ok() ? names_.prefix + name.value() : spec.name;
  }

  void look_at(std::size_t index) {
    const state::ForeignName& found = names_.names[index];
    const std::string& name = tensors_[index].name;
    if (found.part == ForeignPart::kClassifier) {
      ++match_.classifier;
    } else if (found.part == ForeignPart::kUnknown) {
      ++match_.unknown;
      if (match_.first_unknown.empty()) {
        match_.first_unknown = name;
      }
    } else if (!known_.contains(found.name)) {
      PartMatch& part = part_match(found.part);
      ++part.extra;
      blame(part, name + " is there and not in this model");
    }
  }

  /// With other numbers of sets the names differ, too, which says less.
  void count_prototype_sets() {
    PartMatch& part = match_.prototypes;
    const auto theirs = static_cast<std::size_t>(std::count_if(
        names_.names.begin(), names_.names.end(), [](const auto& name) {
          return name.part == ForeignPart::kPrototypes;
        }));
    if (theirs > 0 && theirs != part.wanted) {
      part.first_mismatch = fmt::format(
          "{} sets of prototypes there and {} here", theirs, part.wanted);
    }
  }

  void drop_what_is_not_taken() {
    std::erase_if(match_.sources, [this](const auto& source) {
      const ForeignPart part = names_.names[source.second].part;
      return !part_match(part).taken;
    });
  }

  const std::vector<state::TensorEntry>& tensors_;
  const state::ForeignNames& names_;
  const state::TrunkFamily family_;
  WeightMatch match_;
  std::map<std::string, std::size_t> by_own_name_;
  std::set<std::string> known_;  ///< all tensors of the model
};

/// Takes `literal` off the front.
bool take(std::string_view& text, std::string_view literal) {
  if (!text.starts_with(literal)) {
    return false;
  }
  text.remove_prefix(literal.size());
  return true;
}

bool take_number(std::string_view& text, std::size_t& number) {
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return parsed.ec == std::errc();
}

}  // namespace

WeightMatch match_weights(
    const std::vector<TensorSpec>& specs,
    const std::vector<state::TensorEntry>& tensors,
    const state::ForeignNames& names,
    state::TrunkFamily family) {
  Comparison comparison(tensors, names, family);
  for (const TensorSpec& spec : specs) {
    comparison.compare(spec);
  }
  return comparison.finish();
}

void OutlineReader::add(
    const std::string& name,
    const std::vector<std::int64_t>& shape) {
  constexpr std::size_t kMostStages = 64;
  std::string_view rest = name;
  std::size_t stage = 0;
  std::size_t block = 0;
  if (!take(rest, "encoder.stages.") || !take_number(rest, stage) ||
      !take(rest, ".layers.") || !take_number(rest, block) ||
      rest != ".layer.0.convolution.weight" || shape.empty() ||
      stage >= kMostStages) {
    return;
  }
  if (outline_.depths.size() <= stage) {
    outline_.depths.resize(stage + 1);
    outline_.widths.resize(stage + 1);
  }
  ++outline_.depths[stage];
  outline_.widths[stage] = shape.front();
}

}  // namespace swavd::trainer
