#include "ingest/kafka/kafka_stream.h"
#include "ingest/log/log_stream.h"
#include "ingest/streams.h"

namespace swavd::ingest {

Result<std::unique_ptr<Source>> open_source(
    const StreamUrl& url,
    const SourceOptions& options) {
  return url.kind == StreamUrl::Kind::kKafka ? open_kafka_source(url, options)
                                             : open_log_source(url, options);
}

Result<std::unique_ptr<Sink>> open_sink(
    const StreamUrl& url,
    const SinkOptions& options) {
  return url.kind == StreamUrl::Kind::kKafka ? open_kafka_sink(url, options)
                                             : open_log_sink(url, options);
}

}  // namespace swavd::ingest
