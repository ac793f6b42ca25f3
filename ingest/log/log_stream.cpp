#include "ingest/log/log_stream.h"

#include <utility>

#include "ingest/log/log_paths.h"
#include "ingest/log/log_sink.h"
#include "ingest/log/log_source.h"
#include "ingest/log/log_writer.h"

namespace swavd::ingest {

Result<std::unique_ptr<Source>> open_log_source(
    const StreamUrl& url,
    const SourceOptions& options) {
  auto source = LogSource::open(url, options);
  if (!source.ok()) {
    return source.error();
  }
  return std::unique_ptr<Source>(std::move(source).value());
}

Result<std::unique_ptr<Sink>> open_log_sink(
    const StreamUrl& url,
    const SinkOptions& options) {
  const auto paths = log_paths(url);
  if (!paths.ok()) {
    return paths.error();
  }
  LogWriterOptions writer_options;
  writer_options.partitions = options.partitions;
  writer_options.retention_bytes = options.retention_bytes;
  writer_options.retention_seconds =
      static_cast<std::uint64_t>(options.retention_age.count());
  writer_options.max_record_bytes = options.max_record_bytes;
  auto writer = LogWriter::open(paths.value(), writer_options);
  if (!writer.ok()) {
    return writer.error();
  }
  return std::unique_ptr<Sink>(std::make_unique<LogSink>(
      std::move(writer).value(), paths.value(), options, real_surroundings()));
}

}  // namespace swavd::ingest
