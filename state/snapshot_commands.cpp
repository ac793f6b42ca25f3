#include "state/snapshot_commands.h"

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ops/base/clock.h"
#include "state/content/checked_read.h"
#include "state/content/snapshot_info.h"

namespace swavd::state {

namespace {

using CommandJson = nlohmann::ordered_json;

std::string human_bytes(std::uint64_t bytes) {
  constexpr std::uint64_t kThousand = 1000;
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
  std::size_t unit = 0;
  auto value = static_cast<double>(bytes);
  while (value >= kThousand && unit + 1 < std::size(kUnits)) {
    value /= kThousand;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", value, unit == 0 ? 0 : 1, kUnits[unit]);
}

CommandJson info_json(const SnapshotInfo& info, bool pinned) {
  return CommandJson{
      {"id", info.id},
      {"generation", info.generation},
      {"commit", info.commit},
      {"step", info.step},
      {"images", info.images},
      {"created", format_utc(info.created_ms)},
      {"bytes", info.bytes},
      {"health", info.verdict},
      {"parent", info.parent},
      {"pinned", pinned}};
}

std::string table_row(const SnapshotInfo& info, bool pinned) {
  return fmt::format(
      "{:<23} {:>4} {:>8} {:>10} {:>13}  {:<24} {:>9}  {}{}\n",
      info.id,
      info.generation,
      info.commit,
      info.step,
      info.images,
      format_utc(info.created_ms),
      human_bytes(info.bytes),
      info.verdict,
      pinned ? ", pinned" : "");
}

std::string show_text(const SnapshotReader& snapshot, bool pinned) {
  const Manifest& manifest = snapshot.manifest();
  const Health& health = manifest.health;
  std::string text = fmt::format(
      "snapshot    {}\nrun         {}, generation {}, commit {}\n"
      "step        {}\nimages      {}\nparent      {}\ncreated     {}\n"
      "health      {}: loss {:.4f} (ln K {:.4f}), prototype perplexity "
      "{:.1f}{}\nstate       {}\nconfig      {}\npositions   {}\npinned      "
      "{}\n",
      snapshot.id(),
      manifest.run,
      manifest.generation,
      manifest.commit,
      manifest.step,
      manifest.images,
      manifest.parent.empty() ? "none" : manifest.parent,
      format_utc(manifest.created_ms),
      health.reason.empty() ? health.verdict
                            : health.verdict + " (" + health.reason + ")",
      health.loss,
      health.ln_k,
      health.prototype_perplexity,
      health.finite ? "" : ", NOT FINITE",
      manifest.state_sha256,
      manifest.config_sha256,
      manifest.positions_json,
      pinned ? "yes" : "no");
  if (!manifest.origin_json.empty()) {
    text += fmt::format("origin      {}\n", manifest.origin_json);
  }
  if (!manifest.branch_json.empty()) {
    text += fmt::format("branch      {}\n", manifest.branch_json);
  }
  for (const FileEntry& file : manifest.files) {
    text += fmt::format(
        "file        {} {:>9}  {}\n",
        file.sha256,
        human_bytes(file.bytes),
        file.name);
  }
  return text;
}

Result<std::set<std::string>> pins_of(SnapshotCatalog& catalog) {
  const auto pins = catalog.pinned();
  if (!pins.ok()) {
    return pins.error();
  }
  return std::set<std::string>(pins.value().begin(), pins.value().end());
}

/// How one part of a snapshot fared.
struct PartResult {
  std::string name;
  std::uint64_t bytes = 0;
  std::string_view result;  ///< ok, BAD, absent
  std::string reason;
};

PartResult verify_file(SnapshotReader& snapshot, const FileEntry& file) {
  const Status status =
      read_checked(snapshot, file, [](Bytes) { return ok_status(); });
  if (status.ok()) {
    return {file.name, file.bytes, "ok", {}};
  }
  const bool left_out =
      status.error().code == ErrorCode::kNotFound && file.name == kStateFile;
  return {
      file.name,
      file.bytes,
      left_out ? "absent" : "BAD",
      left_out ? "pulled without it" : status.error().message};
}

std::vector<PartResult> verify_parts(SnapshotReader& snapshot) {
  std::vector<PartResult> parts;
  const Status manifest = check_manifest(snapshot);
  parts.push_back(
      {"manifest.json",
       snapshot.manifest_text().size(),
       manifest.ok() ? "ok" : "BAD",
       manifest.ok() ? "" : manifest.error().message});
  for (const FileEntry& file : snapshot.manifest().files) {
    parts.push_back(verify_file(snapshot, file));
  }
  return parts;
}

std::string report_json(
    const std::string& id,
    bool good,
    const std::vector<PartResult>& parts) {
  CommandJson files = CommandJson::array();
  for (const PartResult& part : parts) {
    files.push_back(
        {{"name", part.name},
         {"bytes", part.bytes},
         {"result", part.result},
         {"reason", part.reason}});
  }
  return CommandJson{{"id", id}, {"ok", good}, {"files", files}}.dump() + "\n";
}

std::string report_text(
    const std::string& id,
    std::size_t bad,
    const std::vector<PartResult>& parts) {
  std::string text;
  for (const PartResult& part : parts) {
    text += fmt::format(
        "{:<6} {}{}{}\n",
        part.result,
        part.name,
        part.reason.empty() ? "" : ": ",
        part.reason);
  }
  text += bad == 0
              ? fmt::format("{} is whole\n", id)
              : fmt::format(
                    "{} is damaged: {} of {} files\n", id, bad, parts.size());
  return text;
}

std::string pulled_text(
    const SnapshotReader& snapshot,
    const std::string& folder,
    PullFiles files,
    OutputFormat format) {
  CommandJson names = CommandJson::array();
  std::uint64_t bytes = 0;
  for (const FileEntry& file : snapshot.manifest().files) {
    if (files == PullFiles::kAll || file.name != kStateFile) {
      names.push_back(file.name);
      bytes += file.bytes;
    }
  }
  if (format == OutputFormat::kText) {
    return fmt::format(
        "pulled {} into {}: {} files, {}\n",
        snapshot.id(),
        folder,
        names.size() + 1,
        human_bytes(bytes));
  }
  return CommandJson{
             {"id", snapshot.id()},
             {"step", snapshot.manifest().step},
             {"folder", folder},
             {"bytes", bytes},
             {"files", names}}
             .dump() +
         "\n";
}

}  // namespace

Result<std::string> list_command(const std::string& ref, OutputFormat format) {
  const SnapshotRef parsed = parse_ref(ref);
  auto catalog = open_catalog(parsed.place);
  if (!catalog.ok()) {
    return catalog.error();
  }
  const auto list = catalog.value()->list();
  if (!list.ok()) {
    return list.error();
  }
  const auto pins = pins_of(*catalog.value());
  if (!pins.ok()) {
    return pins.error();
  }
  const auto pinned = [&](const SnapshotInfo& info) {
    return pins.value().contains(info.id);
  };
  if (format == OutputFormat::kJson) {
    CommandJson items = CommandJson::array();
    for (const SnapshotInfo& info : list.value()) {
      items.push_back(info_json(info, pinned(info)));
    }
    return items.dump() + "\n";
  }
  std::string text = fmt::format(
      "{:<23} {:>4} {:>8} {:>10} {:>13}  {:<24} {:>9}  {}\n",
      "ID",
      "GEN",
      "COMMIT",
      "STEP",
      "IMAGES",
      "CREATED",
      "SIZE",
      "HEALTH");
  for (const SnapshotInfo& info : list.value()) {
    text += table_row(info, pinned(info));
  }
  return text;
}

Result<std::string> show_command(const std::string& ref, OutputFormat format) {
  const auto opened = open_snapshot(ref);
  if (!opened.ok()) {
    return opened.error();
  }
  const SnapshotReader& snapshot = *opened.value().reader;
  const auto pins = pins_of(*opened.value().catalog);
  if (!pins.ok()) {
    return pins.error();
  }
  const bool pinned = pins.value().contains(snapshot.id());
  if (format == OutputFormat::kText) {
    return show_text(snapshot, pinned);
  }
  CommandJson json{{"id", snapshot.id()}, {"pinned", pinned}};
  json.update(CommandJson::parse(snapshot.manifest_text()));
  return json.dump() + "\n";
}

Result<VerifyReport> verify_command(
    const std::string& ref,
    OutputFormat format) {
  const auto opened = open_snapshot(ref);
  if (!opened.ok()) {
    return opened.error();
  }
  SnapshotReader& snapshot = *opened.value().reader;
  const auto parts = verify_parts(snapshot);
  std::size_t bad = 0;
  for (const PartResult& part : parts) {
    bad += part.result == "BAD" ? 1 : 0;
  }
  VerifyReport report;
  report.text = format == OutputFormat::kJson
                    ? report_json(snapshot.id(), bad == 0, parts)
                    : report_text(snapshot.id(), bad, parts);
  if (bad != 0) {
    report.outcome = Error{
        ErrorCode::kCorruption, fmt::format("{} is damaged", snapshot.id())};
  }
  return report;
}

Result<std::string> pull_command(
    const std::string& ref,
    const std::string& folder,
    PullFiles files,
    OutputFormat format) {
  const auto opened = open_snapshot(ref);
  if (!opened.ok()) {
    return opened.error();
  }
  SnapshotReader& snapshot = *opened.value().reader;
  SWAVD_RETURN_IF_ERROR(pull(snapshot, folder, files));
  return pulled_text(snapshot, folder, files, format);
}

Result<std::string>
pin_command(const std::string& ref, PinChange change, OutputFormat format) {
  const SnapshotRef parsed = parse_ref(ref);
  if (parsed.id.empty()) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("say which snapshot: {}@ID", parsed.place)};
  }
  auto catalog = open_catalog(parsed.place);
  if (!catalog.ok()) {
    return catalog.error();
  }
  const auto list = catalog.value()->list();
  if (!list.ok()) {
    return list.error();
  }
  const auto id = choose_snapshot(list.value(), parsed.id);
  if (!id.ok()) {
    return id.error().with_context(parsed.place);
  }
  const bool pinned = change == PinChange::kPin;
  SWAVD_RETURN_IF_ERROR(catalog.value()->set_pinned(id.value(), pinned));
  if (format == OutputFormat::kJson) {
    return CommandJson{{"id", id.value()}, {"pinned", pinned}}.dump() + "\n";
  }
  return fmt::format(
      "{} is {}\n",
      id.value(),
      pinned ? "pinned: retention leaves it" : "no longer pinned");
}

std::string switch_json(const FollowSwitch& made) {
  return CommandJson{
             {"id", made.id},
             {"step", made.step},
             {"health", made.verdict},
             {"folder", made.folder},
             {"bytes", made.bytes},
             {"fetched_bytes", made.fetched_bytes},
             {"milliseconds", made.took.count()}}
             .dump() +
         "\n";
}

std::string switch_text(const FollowSwitch& made) {
  return fmt::format(
      "{} ({}) is current: {} fetched in {} ms, in {}",
      made.id,
      made.verdict,
      human_bytes(made.fetched_bytes),
      made.took.count(),
      made.folder);
}

}  // namespace swavd::state
