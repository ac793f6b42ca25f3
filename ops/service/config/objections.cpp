#include "ops/service/config/objections.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sys/un.h>

#include "ingest/streams.h"
#include "ops/service/config.h"
#include "ops/service/config/nearest.h"
#include "ops/service/net/endpoint.h"
#include "state/weight_files.h"

namespace swavd::service {

std::optional<std::string> object_to_run(const std::string& text) {
  constexpr std::size_t kLongest = 64;
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view kAny = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
  if (!text.empty() && text.size() <= kLongest &&
      kFirst.find(text[0]) != std::string_view::npos &&
      text.find_first_not_of(kAny) == std::string::npos) {
    return std::nullopt;
  }
  return fmt::format(
      "\"{}\" cannot name a run: write 1 to {} of a-z, 0-9, '-', '_' and '.', "
      "the first a letter or digit",
      text,
      kLongest);
}

std::optional<std::string> object_to_folder(const std::string& text) {
  if (text.starts_with('/')) {
    return std::nullopt;
  }
  return fmt::format("\"{}\" is no absolute path: begin it with '/'", text);
}

std::optional<std::string> object_to_stream(const std::string& text) {
  if (text.empty()) {
    return std::nullopt;
  }
  const auto url = ingest::parse_stream_url(text);
  return url.ok() ? std::nullopt : std::optional(url.error().message);
}

std::optional<std::string> object_to_start(const std::string& text) {
  if (text == "earliest" || text == "latest" || parse_time_ms(text).ok()) {
    return std::nullopt;
  }
  constexpr std::string_view kWords[] = {"earliest", "latest"};
  const std::string_view near = nearest(text, kWords);
  return fmt::format(
      "\"{}\" is no start: write earliest, latest or a time such as "
      "\"2026-01-31T12:00:00Z\"{}",
      text,
      near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near));
}

std::optional<std::string> object_to_cores(const std::string& text) {
  const auto cores = parse_cores(text);
  return cores.ok() ? std::nullopt : std::optional(cores.error().message);
}

std::optional<std::string> object_to_dead_letter(const std::string& text) {
  if (text == "auto" || text == "off") {
    return std::nullopt;
  }
  const auto url = ingest::parse_stream_url(text);
  if (url.ok()) {
    return std::nullopt;
  }
  return "write auto, off or a stream: " + url.error().message;
}

std::optional<std::string> object_to_object_store(const std::string& text) {
  constexpr std::string_view kFile = "file:///";
  constexpr std::string_view kS3 = "s3://";
  const bool folder = text.starts_with(kFile) && text.size() > kFile.size();
  const bool bucket = text.starts_with(kS3) && text.size() > kS3.size() &&
                      text[kS3.size()] != '/';
  if (text.empty() || folder || bucket) {
    return std::nullopt;
  }
  return fmt::format(
      "\"{}\" is no object store: write file:///FOLDER or s3://BUCKET/PREFIX",
      text);
}

std::optional<std::string> object_to_endpoint(const std::string& text) {
  const bool url = text.starts_with("https://") || text.starts_with("http://");
  // A user and password before an '@' would be printed with the config.
  if (text.empty() || (url && text.find('@') == std::string::npos)) {
    return std::nullopt;
  }
  return "this is no endpoint: write https://HOST[:PORT], without user or path";
}

std::optional<std::string> object_to_optional_path(const std::string& text) {
  return text.empty() ? std::nullopt : object_to_folder(text);
}

std::optional<std::string> object_to_init_from(const std::string& text) {
  if (state::is_pickle_name(text)) {
    return fmt::format("\"{}\" is not read: {}", text, state::kConvertPickle);
  }
  return object_to_optional_path(text);
}

std::optional<std::string> object_to_device(const std::string& text) {
  constexpr std::string_view kWords[] = {"auto", "cpu", "cuda"};
  constexpr std::string_view kNumbered = "cuda:";
  constexpr std::size_t kMostDigits = 4;
  if (std::ranges::find(kWords, text) != std::end(kWords)) {
    return std::nullopt;
  }
  if (text.starts_with(kNumbered)) {
    const std::string_view number =
        std::string_view(text).substr(kNumbered.size());
    if (!number.empty() && number.size() <= kMostDigits &&
        number.find_first_not_of("0123456789") == std::string_view::npos) {
      return std::nullopt;
    }
  }
  const std::string_view near = nearest(text, kWords);
  return fmt::format(
      "\"{}\" is no device: write auto, cpu, cuda or cuda:N{}",
      text,
      near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near));
}

std::optional<std::string> object_to_listen(const std::string& text) {
  if (text.empty()) {
    return std::nullopt;
  }
  const auto endpoint = parse_endpoint(text);
  return endpoint.ok() ? std::nullopt : std::optional(endpoint.error().message);
}

std::optional<std::string> object_to_socket(const std::string& text) {
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (text.empty() || (text.starts_with('/') && text.size() <= kLongest)) {
    return std::nullopt;
  }
  return fmt::format(
      "\"{}\" cannot be a socket: write an absolute path of at most {} bytes",
      text,
      kLongest);
}

std::optional<std::string> object_to_preset(const std::string& text) {
  const std::vector<std::string> names = preset_names();
  if (std::find(names.begin(), names.end(), text) != names.end()) {
    return std::nullopt;
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view near = nearest(text, views);
  return fmt::format(
      "\"{}\" is no preset: write {}{}",
      text,
      fmt::join(names, ", "),
      near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near));
}

}  // namespace swavd::service
