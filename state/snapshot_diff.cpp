#include "state/snapshot_diff.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ops/base/clock.h"
#include "state/content/checked_read.h"
#include "state/content/strict_json.h"
#include "state/diff/weight_distance.h"

namespace swavd::state {

namespace {

using DiffJson = nlohmann::ordered_json;

constexpr double kMsPerSecond = 1000;
constexpr std::size_t kPositionsDepth = 8;

/// b - a for counters that may also fall.
std::int64_t change(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(b - a);
}

DiffJson number_or_null(double value) {
  return std::isfinite(value) ? DiffJson(value) : DiffJson(nullptr);
}

DiffJson side_json(const SnapshotReader& snapshot) {
  const Manifest& manifest = snapshot.manifest();
  return {
      {"id", snapshot.id()},
      {"run", manifest.run},
      {"generation", manifest.generation},
      {"commit", manifest.commit},
      {"step", manifest.step},
      {"images", manifest.images},
      {"created", format_utc(manifest.created_ms)},
      {"health", manifest.health.verdict},
      {"loss", number_or_null(manifest.health.loss)},
      {"prototype_perplexity",
       number_or_null(manifest.health.prototype_perplexity)}};
}

/// "section.key" and its text, of the TOML that a manifest holds: a section or
/// one key a line, as it is always written.
std::map<std::string, std::string> config_values(std::string_view toml) {
  std::map<std::string, std::string> values;
  std::string section;
  while (!toml.empty()) {
    const std::size_t end = std::min(toml.find('\n'), toml.size());
    const std::string_view line = toml.substr(0, end);
    toml.remove_prefix(std::min(end + 1, toml.size()));
    const std::size_t equals = line.find(" = ");
    if (line.starts_with('[') && line.ends_with(']')) {
      section = std::string(line.substr(1, line.size() - 2)) + ".";
    } else if (equals != std::string_view::npos) {
      values[section + std::string(line.substr(0, equals))] =
          line.substr(equals + 3);
    }
  }
  return values;
}

DiffJson config_json(const Manifest& a, const Manifest& b) {
  const auto before = config_values(a.config_toml);
  const auto after = config_values(b.config_toml);
  std::set<std::string> keys;
  for (const auto* values : {&before, &after}) {
    for (const auto& [key, value] : *values) {
      keys.insert(key);
    }
  }
  const auto value_or_null = [](const auto& values, const std::string& key) {
    const auto hit = values.find(key);
    return hit == values.end() ? DiffJson(nullptr) : DiffJson(hit->second);
  };
  DiffJson differing = DiffJson::array();
  for (const std::string& key : keys) {
    const DiffJson in_a = value_or_null(before, key);
    const DiffJson in_b = value_or_null(after, key);
    if (in_a != in_b) {
      differing.push_back({{"key", key}, {"a", in_a}, {"b", in_b}});
    }
  }
  return differing;
}

using Partition = std::pair<std::string, std::int64_t>;

/// The counters of each partition; what a manifest leaves out counts as 0.
Result<std::map<Partition, DiffJson>> positions_of(const Manifest& manifest) {
  const auto json =
      parse_strict_json<DiffJson>(manifest.positions_json, kPositionsDepth);
  if (!json.ok()) {
    return json.error().with_context("positions");
  }
  std::map<Partition, DiffJson> positions;
  for (const DiffJson& one : json.value()) {
    if (one.is_object() && one.contains("topic") && one["topic"].is_string() &&
        one.contains("partition") && one["partition"].is_number_integer()) {
      positions[{
          one["topic"].get<std::string>(),
          one["partition"].get<std::int64_t>()}] = one;
    }
  }
  return positions;
}

Result<DiffJson> positions_json(const Manifest& a, const Manifest& b) {
  auto before = positions_of(a);
  if (!before.ok()) {
    return before.error();
  }
  auto after = positions_of(b);
  if (!after.ok()) {
    return after.error();
  }
  // A partition that only one of them knows begins, or ends, at nothing.
  auto all = before.value();
  all.insert(after.value().begin(), after.value().end());
  const auto counter = [](const DiffJson& one, const char* name) {
    return one.is_object() && one.contains(name) &&
                   one[name].is_number_integer()
               ? one[name].get<std::int64_t>()
               : 0;
  };
  DiffJson list = DiffJson::array();
  for (const auto& [partition, unused] : all) {
    DiffJson row{{"topic", partition.first}, {"partition", partition.second}};
    for (const char* name : {"next", "trained", "rejected", "skipped"}) {
      row[name] = counter(after.value()[partition], name) -
                  counter(before.value()[partition], name);
    }
    list.push_back(std::move(row));
  }
  return list;
}

DiffJson weights_json(const WeightDistance& distance) {
  DiffJson parts = DiffJson::array();
  for (const auto& [part, sum] : distance) {
    parts.push_back(
        {{"part", part},
         {"relative_l2", number_or_null(sum.relative_l2())},
         {"elements", sum.elements},
         {"tensors", sum.tensors},
         {"changed_tensors", sum.changed}});
  }
  return parts;
}

Result<DiffJson> diff_json(SnapshotReader& a, SnapshotReader& b) {
  SWAVD_RETURN_IF_ERROR(check_manifest(a));
  SWAVD_RETURN_IF_ERROR(check_manifest(b));
  const Manifest& before = a.manifest();
  const Manifest& after = b.manifest();
  DiffJson diff{
      {"a", side_json(a)},
      {"b", side_json(b)},
      {"steps", change(before.step, after.step)},
      {"images", change(before.images, after.images)},
      {"seconds",
       static_cast<double>(after.created_ms - before.created_ms) /
           kMsPerSecond},
      {"same_run", before.run == after.run}};
  const auto distance = weight_distance(a, b);
  if (!distance.ok() && distance.error().code != ErrorCode::kInvalidArgument) {
    return distance.error();
  }
  diff["weights"] =
      distance.ok() ? weights_json(distance.value()) : DiffJson(nullptr);
  diff["weights_reason"] =
      distance.ok() ? DiffJson(nullptr) : DiffJson(distance.error().message);
  auto positions = positions_json(before, after);
  if (!positions.ok()) {
    return positions.error();
  }
  diff["positions"] = std::move(positions).value();
  diff["config"] = config_json(before, after);
  return diff;
}

std::string number_text(const DiffJson& number) {
  return number.is_null() ? "-" : fmt::format("{:.4g}", number.get<double>());
}

std::string side_text(const char* name, const DiffJson& side) {
  return fmt::format(
      "{}  {}  generation {}, commit {}, {}, loss {}, prototype perplexity "
      "{}\n",
      name,
      side["id"].get<std::string>(),
      side["generation"].get<std::uint64_t>(),
      side["commit"].get<std::uint64_t>(),
      side["health"].get<std::string>(),
      number_text(side["loss"]),
      number_text(side["prototype_perplexity"]));
}

std::string weights_text(const DiffJson& diff) {
  if (diff["weights"].is_null()) {
    return fmt::format(
        "\nno distance: {}\n", diff["weights_reason"].get<std::string>());
  }
  std::string text =
      fmt::format("\n{:<12} {:>12} {:>12}\n", "PART", "REL. L2", "ELEMENTS");
  for (const DiffJson& part : diff["weights"]) {
    text += fmt::format(
        "{:<12} {:>12} {:>12}\n",
        part["part"].get<std::string>(),
        number_text(part["relative_l2"]),
        part["elements"].get<std::uint64_t>());
  }
  return text;
}

std::string diff_text(const DiffJson& diff) {
  std::string text = side_text("a", diff["a"]) + side_text("b", diff["b"]);
  text += fmt::format(
      "{:+} steps, {:+} images, {:+.1f} s{}\n",
      diff["steps"].get<std::int64_t>(),
      diff["images"].get<std::int64_t>(),
      diff["seconds"].get<double>(),
      diff["same_run"].get<bool>() ? "" : "; of DIFFERENT runs");
  text += weights_text(diff);
  text += fmt::format(
      "\n{:<24} {:>10} {:>12} {:>12} {:>10} {:>10}\n",
      "TOPIC",
      "PARTITION",
      "NEXT",
      "TRAINED",
      "REJECTED",
      "SKIPPED");
  for (const DiffJson& row : diff["positions"]) {
    text += fmt::format(
        "{:<24} {:>10} {:>+12} {:>+12} {:>+10} {:>+10}\n",
        row["topic"].get<std::string>(),
        row["partition"].get<std::int64_t>(),
        row["next"].get<std::int64_t>(),
        row["trained"].get<std::int64_t>(),
        row["rejected"].get<std::int64_t>(),
        row["skipped"].get<std::int64_t>());
  }
  text += diff["config"].empty() ? "\nthe configuration is the same\n" : "\n";
  for (const DiffJson& key : diff["config"]) {
    const auto value = [&](const char* side) {
      return key[side].is_null() ? "(absent)" : key[side].get<std::string>();
    };
    text += fmt::format(
        "{}: {} -> {}\n",
        key["key"].get<std::string>(),
        value("a"),
        value("b"));
  }
  return text;
}

}  // namespace

Result<std::string> diff_command(
    const std::string& ref_a,
    const std::string& ref_b,
    OutputFormat format) {
  const auto a = open_snapshot(ref_a);
  if (!a.ok()) {
    return a.error();
  }
  const auto b = open_snapshot(
      ref_b.starts_with('@') ? parse_ref(ref_a).place + ref_b : ref_b);
  if (!b.ok()) {
    return b.error();
  }
  const auto diff = diff_json(*a.value().reader, *b.value().reader);
  if (!diff.ok()) {
    return diff.error();
  }
  return format == OutputFormat::kJson ? diff.value().dump() + "\n"
                                       : diff_text(diff.value());
}

}  // namespace swavd::state
