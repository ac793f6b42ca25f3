#include "ops/daemon/schedule_json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace swavd::daemon {

namespace {

using Json = nlohmann::ordered_json;

Error broken(std::string_view section, const Json::exception& error) {
  return Error{
      ErrorCode::kCorruption,
      fmt::format("{} section of a snapshot: {}", section, error.what())};
}

scheduler::Halving halving_from(const Json& json) {
  return {
      json.at("at").get<std::uint64_t>(),
      json.at("best_loss").get<double>(),
      json.at("best_at").get<std::uint64_t>(),
      json.at("smoothed_loss").get<double>(),
      json.at("risen_since").get<std::uint64_t>()};
}

scheduler::SetRate set_rate_from(const Json& json) {
  return {
      json.at("rate").get<double>(),
      json.at("instead_of").get<double>(),
      json.at("at").get<std::uint64_t>()};
}

}  // namespace

std::string schedule_to_json(const scheduler::ScheduleState& state) {
  Json json;
  json["images"] = state.images;
  json["halvings"] = state.halvings;
  json["smoothed_loss"] = state.smoothed_loss;
  json["smoothing_weight"] = state.smoothing_weight;
  json["best_loss"] = state.best_loss;
  json["best_at"] = state.best_at;
  json["cooldown_until"] = state.cooldown_until;
  json["has_best"] = state.has_best;
  json["improved_at"] = state.improved_at;
  json["last_halving"] = {
      {"at", state.last_halving.at},
      {"best_loss", state.last_halving.best_loss},
      {"best_at", state.last_halving.best_at},
      {"smoothed_loss", state.last_halving.smoothed_loss},
      {"risen_since", state.last_halving.risen_since}};
  json["set_rate"] = {
      {"rate", state.set_rate.rate},
      {"instead_of", state.set_rate.instead_of},
      {"at", state.set_rate.at}};
  return json.dump();
}

Result<scheduler::ScheduleState> schedule_from_json(std::string_view json) {
  try {
    const Json parsed = Json::parse(json);
    scheduler::ScheduleState state;
    state.images = parsed.at("images").get<std::uint64_t>();
    state.halvings = parsed.at("halvings").get<std::uint64_t>();
    state.smoothed_loss = parsed.at("smoothed_loss").get<double>();
    state.smoothing_weight = parsed.at("smoothing_weight").get<double>();
    state.best_loss = parsed.at("best_loss").get<double>();
    state.best_at = parsed.at("best_at").get<std::uint64_t>();
    state.cooldown_until = parsed.at("cooldown_until").get<std::uint64_t>();
    state.has_best = parsed.at("has_best").get<bool>();
    state.improved_at = parsed.value("improved_at", state.best_at);
    if (parsed.contains("last_halving")) {
      state.last_halving = halving_from(parsed.at("last_halving"));
    }
    if (parsed.contains("set_rate")) {
      state.set_rate = set_rate_from(parsed.at("set_rate"));
    }
    return state;
  } catch (const Json::exception& error) {
    return broken("schedule", error);
  }
}

std::string stream_to_json(const StreamSection& section) {
  Json json;
  json["id"] = section.id;
  json["order"] = {{"mode", section.order}, {"turn", section.turn}};
  return json.dump();
}

Result<StreamSection> stream_from_json(std::string_view json) {
  try {
    const Json parsed = Json::parse(json);
    StreamSection section;
    section.id = parsed.at("id").get<std::string>();
    section.order = parsed.at("order").at("mode").get<std::string>();
    section.turn = parsed.at("order").at("turn").get<std::int32_t>();
    return section;
  } catch (const Json::exception& error) {
    return broken("stream", error);
  }
}

}  // namespace swavd::daemon
