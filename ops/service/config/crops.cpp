#include "ops/service/config/crops.h"

#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "ops/service/config/nearest.h"

namespace swavd::service {
namespace {

constexpr std::int64_t kMostCrops = 64;
constexpr std::int64_t kLeastSize = 8;
constexpr std::int64_t kMostSize = 1024;

Error wrong(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}

std::optional<double> number(const Value& value) {
  if (const auto* real = std::get_if<double>(&value.data)) {
    return *real;
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) {
    return static_cast<double>(*integer);
  }
  return std::nullopt;
}

Status set_integer(
    const Value& value,
    std::string_view name,
    std::int64_t least,
    std::int64_t most,
    std::int64_t& field) {
  const auto* integer = std::get_if<std::int64_t>(&value.data);
  if (integer == nullptr || *integer < least || *integer > most) {
    return wrong(fmt::format(
        "{} must be an integer from {} to {}, not {}",
        name,
        least,
        most,
        to_toml(value)));
  }
  field = *integer;
  return ok_status();
}

Status set_scale(const Value& value, CropConfig& crop) {
  const auto* pair = std::get_if<Value::List>(&value.data);
  if (pair != nullptr && pair->size() == 2) {
    const auto least = number((*pair)[0]);
    const auto most = number((*pair)[1]);
    if (least && most && *least > 0 && *least <= *most && *most <= 1) {
      crop.scale_min = *least;
      crop.scale_max = *most;
      return ok_status();
    }
  }
  return wrong(fmt::format(
      "scale must be [LEAST, MOST] with 0 < LEAST <= MOST <= 1, not {}",
      to_toml(value)));
}

Status
set_member(const std::string& name, const Value& value, CropConfig& crop) {
  if (name == "count") {
    return set_integer(value, name, 1, kMostCrops, crop.count);
  }
  if (name == "size") {
    return set_integer(value, name, kLeastSize, kMostSize, crop.size);
  }
  if (name == "scale") {
    return set_scale(value, crop);
  }
  constexpr std::string_view kMembers[] = {"count", "size", "scale"};
  const std::string_view near = nearest(name, kMembers);
  return wrong(fmt::format(
      "a crop group has no {}; {}",
      name,
      near.empty() ? "it has count, size and scale"
                   : fmt::format("did you mean {}?", near)));
}

Result<CropConfig> crop_from(const Value& value) {
  const auto* table = std::get_if<Value::Table>(&value.data);
  if (table == nullptr) {
    return wrong(fmt::format(
        "a crop group must be {{count = N, size = PIXELS, scale = [LEAST, "
        "MOST]}}, not {}",
        to_toml(value)));
  }
  CropConfig crop;
  for (const auto& [name, member] : *table) {
    SWAVD_RETURN_IF_ERROR(set_member(name, member, crop));
  }
  return crop;
}

}  // namespace

Result<std::vector<CropConfig>> crops_from(const Value& value) {
  const auto* list = std::get_if<Value::List>(&value.data);
  if (list == nullptr || list->empty()) {
    return wrong(fmt::format(
        "must be a list of at least one {{count = N, size = PIXELS, scale = "
        "[LEAST, MOST]}}, not {}",
        to_toml(value)));
  }
  std::vector<CropConfig> crops;
  for (const Value& item : *list) {
    auto crop = crop_from(item);
    if (!crop.ok()) {
      return crop.error().with_context(
          fmt::format("group {}", crops.size() + 1));
    }
    crops.push_back(crop.value());
  }
  if (crops[0].count < 2) {
    return wrong(
        "group 1: count must be at least 2: an image's first two crops give "
        "each other's assignments");
  }
  return crops;
}

Value::List crops_to_list(const std::vector<CropConfig>& crops) {
  Value::List list;
  for (const CropConfig& crop : crops) {
    list.push_back({Value::Table{
        {"count", {crop.count}},
        {"size", {crop.size}},
        {"scale", {Value::List{{crop.scale_min}, {crop.scale_max}}}}}});
  }
  return list;
}

}  // namespace swavd::service
