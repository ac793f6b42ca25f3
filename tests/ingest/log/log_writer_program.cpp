// Publishes numbered records to an embedded stream until it is killed, and
// says on stdout how many are acknowledged.
//   log_writer_program FOLDER TOPIC FIRST

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "ingest/log/log_stream.h"
#include "tests/ingest/log/numbered_record.h"

namespace {

using namespace swavd;
using namespace swavd::ingest;

int publish_for_ever(const StreamUrl& url, int first) {
  SinkOptions options;
  options.partitions = 3;
  options.retention_bytes = 3ULL << 30U;
  auto sink = open_log_sink(url, options);
  if (!sink.ok()) {
    std::fprintf(stderr, "%s\n", sink.error().message.c_str());
    return exit_code(sink.error().code);
  }
  for (int i = first;; ++i) {
    if (!sink.value()->publish(testing::numbered_record(i)).ok()) {
      return EXIT_FAILURE;
    }
    if (i % 50 == 49) {
      if (!sink.value()->flush(std::chrono::seconds(30)).ok()) {
        return EXIT_FAILURE;
      }
      std::printf("%d\n", i + 1);
      std::fflush(stdout);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    return 64;
  }
  StreamUrl url;
  url.kind = StreamUrl::Kind::kLog;
  url.folder = argv[1];
  url.topic = argv[2];
  return publish_for_ever(url, std::atoi(argv[3]));
}
