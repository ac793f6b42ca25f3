#include "ingest/log/reader_progress.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ops/base/bytes.h"
#include "ops/base/files.h"

namespace swavd::ingest {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kReaderFormat = "swavd-log-reader/1";

Error not_a_reader_file(const std::filesystem::path& file) {
  return {
      ErrorCode::kCorruption,
      fmt::format(
          "{} is no reader's progress ({}); remove it if nothing reads the "
          "stream under this name",
          file.string(),
          kReaderFormat)};
}

bool is_entry(const Json& entry) {
  return entry.is_object() && entry.contains("partition") &&
         entry["partition"].is_number_integer() && entry.contains("next") &&
         entry["next"].is_number_integer();
}

bool is_reader_file(const Json& json) {
  return json.is_object() && json.value("format", Json()) == kReaderFormat &&
         json.value("stream_id", Json()).is_string() &&
         json.value("positions", Json()).is_array() &&
         std::all_of(
             json["positions"].begin(), json["positions"].end(), is_entry);
}

std::string to_json_text(const ReaderProgress& progress, std::int64_t now_ms) {
  Json json;
  json["format"] = kReaderFormat;
  json["stream_id"] = progress.stream_id;
  json["updated_ms"] = now_ms;
  json["positions"] = Json::array();
  for (const auto& [partition, next] : progress.next) {
    json["positions"].push_back({{"partition", partition}, {"next", next}});
  }
  return json.dump() + "\n";
}

/// Keeps the smaller offset of each partition.
void merge_slowest(const ReaderNext& reader, ReaderNext& slowest) {
  for (const auto& [partition, next] : reader) {
    const auto [known, fresh] = slowest.emplace(partition, next);
    if (!fresh) {
      known->second = std::min(known->second, next);
    }
  }
}

}  // namespace

Status write_reader_progress(
    const std::filesystem::path& file,
    const std::string& stream_id,
    const std::vector<Position>& positions,
    std::int64_t now_ms) {
  SWAVD_RETURN_IF_ERROR(make_folders(file.parent_path()));
  ReaderProgress progress;
  if (auto before = read_reader_progress(file);
      before.ok() && before.value().stream_id == stream_id) {
    progress = std::move(before).value();
  }
  progress.stream_id = stream_id;
  for (const Position& position : positions) {
    progress.next[position.partition] = position.next;
  }
  return write_file_durably(file, as_bytes(to_json_text(progress, now_ms)));
}

Result<ReaderProgress> read_reader_progress(const std::filesystem::path& file) {
  const auto bytes = read_file(file);
  if (!bytes.ok()) {
    return bytes.error();
  }
  const Json json =
      Json::parse(as_text(bytes.value()), nullptr, /*allow_exceptions=*/false);
  if (!is_reader_file(json)) {
    return not_a_reader_file(file);
  }
  ReaderProgress progress;
  progress.stream_id = json["stream_id"].get<std::string>();
  for (const Json& entry : json["positions"]) {
    progress.next[entry["partition"].get<std::int32_t>()] =
        entry["next"].get<std::int64_t>();
  }
  return progress;
}

SlowestReaders slowest_readers(
    const std::filesystem::path& folder,
    const std::string& stream_id) {
  SlowestReaders found;
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(folder, error);
       !error && entry != std::filesystem::directory_iterator();
       entry.increment(error)) {
    if (entry->path().extension() != ".json") {
      continue;
    }
    const auto progress = read_reader_progress(entry->path());
    if (!progress.ok()) {
      found.unreadable.push_back(progress.error().message);
    } else if (progress.value().stream_id == stream_id) {
      merge_slowest(progress.value().next, found.next);
      found.readers.push_back(entry->path().string());
    }
  }
  return found;
}

}  // namespace swavd::ingest
