#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ingest/streams.h"

namespace swavd::ingest::testing {

/// A real Apache Kafka broker that tests/services/kafka.py runs, in a folder
/// of its own, for as long as this object lives.
class RealKafka {
 public:
  /// nullptr when its jars are not here, or when it does not start: `why`
  /// then says so, with the command that installs them.
  static std::unique_ptr<RealKafka> start(std::string& why);

  /// One broker for all tests of a program; it ends with the process. As
  /// `start` otherwise.
  static RealKafka* shared(std::string& why);

  RealKafka(const RealKafka&) = delete;
  RealKafka& operator=(const RealKafka&) = delete;
  ~RealKafka();

  [[nodiscard]] StreamUrl url(const std::string& topic) const;

  /// Makes a topic; each of these waits until it is done.
  void create_topic(const std::string& topic, int partitions);
  /// The topic then has so many.
  void add_partitions(const std::string& topic, int partitions);
  void delete_topic(const std::string& topic);
  void delete_records(
      const std::string& topic,
      std::int32_t partition,
      std::int64_t before);

  /// kill -9, and the same broker on the same data and ports again.
  void kill();
  void restart();

 private:
  RealKafka(std::string folder, std::string bootstrap);
  void command(const std::string& name) const;

  std::string folder_;
  std::string bootstrap_;
};

}  // namespace swavd::ingest::testing
