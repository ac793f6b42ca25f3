#include "ingest/log/log_paths.h"

#include <string>

#include <fmt/format.h>

namespace swavd::ingest {

namespace {

/// Empty when `topic` can name a database below the folder.
std::string path_objection(const StreamUrl& url) {
  const std::filesystem::path topic(url.topic);
  if (url.kind != StreamUrl::Kind::kLog || url.folder.empty() ||
      url.folder.front() != '/') {
    return "it is not log:///FOLDER/TOPIC";
  }
  if (topic.empty() || topic.is_absolute() || !topic.has_filename()) {
    return "it names no topic";
  }
  for (const auto& part : topic) {
    if (part == "." || part == "..") {
      return "the topic would leave its folder";
    }
    if (part.extension() == ".lock" || part.extension() == ".readers") {
      return "topics must not end in .lock or .readers: files of a stream do";
    }
  }
  return "";
}

}  // namespace

Result<LogPaths> log_paths(const StreamUrl& url) {
  if (const std::string why = path_objection(url); !why.empty()) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("embedded stream {}: {}", to_string(url), why)};
  }
  const std::string base =
      (std::filesystem::path(url.folder) / url.topic).lexically_normal();
  return LogPaths{
      base,
      std::filesystem::path(base) / "wal",
      base + ".lock",
      base + ".readers"};
}

Result<std::filesystem::path> reader_file(
    const LogPaths& paths,
    std::string_view run) {
  if (run.empty() || run.front() == '.' ||
      run.find('/') != std::string_view::npos) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format(
            "run \"{}\" cannot name a reader's file: it must not be empty, "
            "begin with a dot or hold a slash",
            run)};
  }
  return paths.readers / fmt::format("{}.json", run);
}

}  // namespace swavd::ingest
