#include "ops/daemon/stream_setup.h"

#include <chrono>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "ops/base/log.h"
#include "ops/daemon/options.h"

namespace swavd::daemon {

namespace {

using metrics::Id;

ingest::SourceOptions source_options(
    const service::Config& config,
    metrics::Registry& registry,
    const std::shared_ptr<std::vector<loader::PartitionRange>>& gaps) {
  ingest::SourceOptions options;
  options.run = config.run;
  options.prefetch_bytes = config.stream.prefetch_bytes;
  options.max_record_bytes = config.stream.max_record_bytes;
  options.jump_gaps = config.stream.on_gap == "jump";
  options.on_gap =
      [gaps](std::int32_t partition, std::int64_t from, std::int64_t to) {
        gaps->push_back({partition, from, to});
      };
  options.client = config.stream.client;
  options.events = stream_events(registry);
  return options;
}

ingest::SinkOptions sink_options(
    const service::Config& config,
    metrics::Registry& registry) {
  ingest::SinkOptions options;
  options.max_record_bytes = config.stream.max_record_bytes;
  options.max_ahead_records = config.stream.max_ahead_records;
  options.partitions = static_cast<std::int32_t>(config.stream.partitions);
  options.retention_bytes = config.stream.retention_bytes;
  options.retention_age =
      std::chrono::seconds(config.stream.retention_age_seconds);
  options.client = config.stream.client;
  options.events = stream_events(registry);
  return options;
}

/// Makes the embedded stream by opening it for writing once.
Status create_stream(
    const ingest::StreamUrl& url,
    const service::Config& config,
    metrics::Registry& registry) {
  auto sink = ingest::open_sink(url, sink_options(config, registry));
  if (!sink.ok()) {
    return sink.error();
  }
  constexpr std::chrono::milliseconds kFlush{5000};
  SWAVD_RETURN_IF_ERROR(sink.value()->flush(kFlush));
  log(LogLevel::kInfo, "stream_created", "created " + to_string(url));
  return ok_status();
}

Result<std::unique_ptr<ingest::Source>> open_or_create(
    const ingest::StreamUrl& url,
    const service::Config& config,
    const ingest::SourceOptions& options,
    metrics::Registry& registry) {
  auto source = ingest::open_source(url, options);
  if (source.ok() || source.error().code != ErrorCode::kNotFound ||
      url.kind != ingest::StreamUrl::Kind::kLog) {
    return source;
  }
  SWAVD_RETURN_IF_ERROR(create_stream(url, config, registry));
  return ingest::open_source(url, options);
}

Result<std::unique_ptr<ingest::Sink>> open_dead_letters(
    const ingest::StreamUrl& url,
    const service::Config& config,
    metrics::Registry& registry) {
  if (config.stream.dead_letter == "off") {
    return std::unique_ptr<ingest::Sink>();
  }
  ingest::StreamUrl target = ingest::dead_letter_url(url, 0);
  if (config.stream.dead_letter != "auto") {
    auto parsed = ingest::parse_stream_url(config.stream.dead_letter);
    if (!parsed.ok()) {
      return parsed.error().with_context("stream.dead_letter");
    }
    target = std::move(parsed).value();
  }
  ingest::SinkOptions options = sink_options(config, registry);
  options.max_ahead_records = 0;  // nobody need read them
  options.partitions = 1;
  return ingest::open_sink(target, options);
}

/// Puts an opened source into `stream`.
Status hold_source(
    Result<std::unique_ptr<ingest::Source>> source,
    const service::Config& config,
    RunStream& stream) {
  if (!source.ok()) {
    return source.error().with_context("stream " + config.stream.url);
  }
  stream.source = std::move(source).value();
  auto id = stream.source->stream_id();
  if (!id.ok()) {
    return id.error();
  }
  stream.id = std::move(id).value();
  return ok_status();
}

/// "earliest", "latest" or an RFC 3339 time.
Result<ingest::StartPoint> parse_start(const std::string& text) {
  if (text == "earliest") {
    return ingest::StartPoint{};
  }
  if (text == "latest") {
    return ingest::StartPoint{ingest::StartAt::kLatest, 0};
  }
  auto time = service::parse_time_ms(text);
  if (!time.ok()) {
    return time.error().with_context("stream.start");
  }
  return ingest::StartPoint{ingest::StartAt::kTime, time.value()};
}

}  // namespace

ingest::StreamEvents stream_events(metrics::Registry& registry) {
  return {[&registry](std::string_view reason, std::string_view text) {
    registry.add(Id::kStreamErrors, 1, {reason});
    log(LogLevel::kWarning, reason, text);
  }};
}

Result<RunStream> open_run_stream(
    const service::Config& config,
    metrics::Registry& registry) {
  auto url = ingest::parse_stream_url(config.stream.url);
  if (!url.ok()) {
    return url.error().with_context("stream.url");
  }
  RunStream stream;
  stream.gaps = std::make_shared<std::vector<loader::PartitionRange>>();
  SWAVD_RETURN_IF_ERROR(hold_source(
      open_or_create(
          url.value(),
          config,
          source_options(config, registry, stream.gaps),
          registry),
      config,
      stream));
  auto dead_letters = open_dead_letters(url.value(), config, registry);
  if (!dead_letters.ok()) {
    return dead_letters.error().with_context("dead letters");
  }
  stream.dead_letters = std::move(dead_letters).value();
  return stream;
}

Result<RunStream> open_branch_stream(
    const service::Config& config,
    metrics::Registry& registry) {
  auto url = ingest::parse_stream_url(config.stream.url);
  if (!url.ok()) {
    return url.error().with_context("stream.url");
  }
  RunStream stream;
  stream.gaps = std::make_shared<std::vector<loader::PartitionRange>>();
  ingest::SourceOptions options = source_options(config, registry, stream.gaps);
  options.run += ".branch";  // never the run's own group or file
  SWAVD_RETURN_IF_ERROR(
      hold_source(ingest::open_source(url.value(), options), config, stream));
  return stream;
}

Status
assign_stream(const service::Config& config, RunStream& stream, RunState& run) {
  if (run.stream && run.stream->id != stream.id) {
    return Error{
        ErrorCode::kConfig,
        fmt::format(
            "the snapshot's positions belong to stream {}, but {} is {}; use "
            "the old stream, or a new `run` name",
            run.stream->id,
            config.stream.url,
            stream.id)};
  }
  auto start = parse_start(config.stream.start);
  if (!start.ok()) {
    return start.error();
  }
  // A partition that was added later is read from its first record.
  auto bounds = stream.source->resolve_start(
      run.stream ? ingest::StartPoint{} : start.value());
  if (!bounds.ok()) {
    return bounds.error();
  }
  std::set<std::int32_t> known;
  for (const ingest::Position& position : run.progress.positions()) {
    known.insert(position.partition);
  }
  for (const ingest::PartitionBounds& bound : bounds.value()) {
    stream.partitions.push_back(bound.partition);
    if (!known.contains(bound.partition)) {
      run.progress.begin(stream.source->topic(), bound.partition, bound.begin);
    }
  }
  return stream.source->assign(run.progress.positions());
}

std::unique_ptr<loader::Loader> start_run_loader(
    const service::Config& config,
    const RunStream& stream,
    const RunState& run,
    const loader::BufferAllocator& allocator) {
  loader::LoaderOptions options = loader_options(config);
  options.rejected_bytes = options.inflight_bytes;
  options.partitions = stream.partitions;
  options.first_turn = run.stream ? run.stream->turn : 0;
  options.take_gaps = [gaps = stream.gaps] { return std::exchange(*gaps, {}); };
  if (options.shuffle_records > 1) {
    constexpr std::uint64_t kMebibyte = 1 << 20;
    log(LogLevel::kInfo,
        "shuffle_window",
        fmt::format(
            "{} partitions are mixed, each within blocks of {} records; at "
            "most {} MiB of them in memory",
            options.partitions.size(),
            options.shuffle_records,
            options.shuffle_bytes / kMebibyte));
  }
  return loader::start_loader(*stream.source, options, allocator);
}

}  // namespace swavd::daemon
