#include "ops/service/validate.h"

#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "ingest/paths.h"
#include "ingest/streams.h"
#include "ops/base/files.h"
#include "ops/service/object_store.h"
#include "state/object_store.h"

namespace swavd::service {

namespace {

Status check_data_dir(const Config& config) {
  SWAVD_RETURN_IF_ERROR(make_folders(config.data_dir));
  const std::string probe = config.data_dir + "/.validate";
  SWAVD_RETURN_IF_ERROR(write_file_durably(probe, as_bytes("swavd")));
  std::error_code ignored;
  std::filesystem::remove(probe, ignored);
  auto free = free_bytes(config.data_dir);
  if (!free.ok()) {
    return free.error();
  }
  if (free.value() < config.snapshot.reserve_bytes) {
    return Error{
        ErrorCode::kExhausted,
        fmt::format(
            "{} has {} bytes free, less than snapshot.reserve_bytes ({})",
            config.data_dir,
            free.value(),
            config.snapshot.reserve_bytes)};
  }
  return ok_status();
}

Status check_stream(const Config& config) {
  auto url = ingest::parse_stream_url(config.stream.url);
  if (!url.ok()) {
    return url.error();
  }
  ingest::SourceOptions options;
  options.run = config.run + ".validate";
  options.client = config.stream.client;
  auto source = ingest::open_source(url.value(), options);
  if (!source.ok()) {
    // An embedded stream is made at the first start.
    const bool made_later = url.value().kind == ingest::StreamUrl::Kind::kLog &&
                            source.error().code == ErrorCode::kNotFound;
    return made_later ? ok_status() : Status(source.error());
  }
  auto bounds = source.value()->bounds();
  return bounds.ok() ? ok_status() : Status(bounds.error());
}

/// Conditional writes are what keeps two owners of a run apart.
Status check_object_store(const Config& config) {
  if (config.object_store.url.empty()) {
    return ok_status();
  }
  auto store = open_object_store(config.object_store);
  if (!store.ok()) {
    return store.error();
  }
  return state::probe_conditional_writes(*store.value(), config.run + "/");
}

/// That there is something to read; labels are looked at by the probe.
Status check_labelled(const std::string& path) {
  if (path.empty()) {
    return ok_status();
  }
  const auto source = ingest::open_path_source(path, {.limit = 1});
  return source.ok() ? ok_status() : Status(source.error());
}

Status in(const Status& status, const char* where) {
  return status.ok() ? status : Status(status.error().with_context(where));
}

}  // namespace

Status validate_environment(const Config& config) {
  SWAVD_RETURN_IF_ERROR(in(check_data_dir(config), "data_dir"));
  SWAVD_RETURN_IF_ERROR(in(check_stream(config), "stream"));
  SWAVD_RETURN_IF_ERROR(in(check_object_store(config), "object_store"));
  SWAVD_RETURN_IF_ERROR(in(check_labelled(config.probe.train), "probe.train"));
  return in(check_labelled(config.probe.test), "probe.test");
}

}  // namespace swavd::service
