#include "ingest/position_json.h"

#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace swavd::ingest {

namespace {

using Json = nlohmann::ordered_json;

Json range_json(const OffsetRange& range) {
  return Json::array({range.first, range.last});
}

Json position_json(const Position& position) {
  Json json;
  json["topic"] = position.topic;
  json["partition"] = position.partition;
  json["start"] = position.start;
  json["next"] = position.next;
  json["done_above"] = Json::array();
  for (const OffsetRange& range : position.done_above) {
    json["done_above"].push_back(range_json(range));
  }
  json["gaps"] = Json::array();
  for (const Gap& gap : position.gaps) {
    json["gaps"].push_back(
        {{"from", gap.from}, {"to", gap.to}, {"reason", gap.reason}});
  }
  json["trained"] = position.trained;
  json["rejected"] = position.rejected;
  json["skipped"] = position.skipped;
  if (position.last) {
    json["last"] = {
        {"offset", position.last->offset},
        {"timestamp_ms", position.last->timestamp_ms},
        {"sha256", position.last->sha256}};
  }
  return json;
}

Position parse_position(const Json& json) {
  Position position;
  position.topic = json.at("topic").get<std::string>();
  position.partition = json.at("partition").get<std::int32_t>();
  position.start = json.at("start").get<std::int64_t>();
  position.next = json.at("next").get<std::int64_t>();
  for (const Json& range : json.at("done_above")) {
    position.done_above.push_back(
        {range.at(0).get<std::int64_t>(), range.at(1).get<std::int64_t>()});
  }
  for (const Json& gap : json.at("gaps")) {
    position.gaps.push_back(
        {gap.at("from").get<std::int64_t>(),
         gap.at("to").get<std::int64_t>(),
         gap.at("reason").get<std::string>()});
  }
  position.trained = json.at("trained").get<std::uint64_t>();
  position.rejected = json.at("rejected").get<std::uint64_t>();
  position.skipped = json.at("skipped").get<std::uint64_t>();
  if (json.contains("last")) {
    const Json& last = json.at("last");
    position.last = Fingerprint{
        last.at("offset").get<std::int64_t>(),
        last.at("timestamp_ms").get<std::int64_t>(),
        last.at("sha256").get<std::string>()};
  }
  return position;
}

std::uint64_t parse_hex(const std::string& text) {
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    throw Json::other_error::create(
        501, "not a hexadecimal number: " + text, nullptr);
  }
  return value;
}

}  // namespace

std::string positions_to_json(const std::vector<Position>& positions) {
  Json json = Json::array();
  for (const Position& position : positions) {
    json.push_back(position_json(position));
  }
  return json.dump();
}

Result<std::vector<Position>> positions_from_json(std::string_view json) {
  try {
    std::vector<Position> positions;
    for (const Json& one : Json::parse(json)) {
      positions.push_back(parse_position(one));
    }
    return positions;
  } catch (const Json::exception& error) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format("positions of a snapshot: {}", error.what())};
  }
}

std::string ledger_to_json(const Ledger& ledger) {
  return fmt::format(
      R"({{"count":{},"hash":"{:016x}","content":"{:016x}"}})",
      ledger.count,
      ledger.hash,
      ledger.content);
}

Result<Ledger> ledger_from_json(std::string_view json) {
  try {
    const Json parsed = Json::parse(json);
    Ledger ledger;
    ledger.count = parsed.at("count").get<std::uint64_t>();
    ledger.hash = parse_hex(parsed.at("hash").get<std::string>());
    ledger.content = parse_hex(parsed.at("content").get<std::string>());
    return ledger;
  } catch (const Json::exception& error) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format("ledger of a snapshot: {}", error.what())};
  }
}

}  // namespace swavd::ingest
