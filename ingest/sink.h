#pragma once

#include <chrono>

#include "ingest/record.h"
#include "ops/base/result.h"

namespace swavd::ingest {

/// A stream being written. Thread-safe.
class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;

  /// Hands a record over. Blocks while the stream pushes back (buffers full,
  /// disk full, too far ahead of the reader). The record is safe only after
  /// a `flush` that began later. Errors: kInvalidArgument (larger than the
  /// stream takes, naming both sizes), kUnavailable, kCancelled after `close`.
  [[nodiscard]] virtual Status publish(OutRecord record) = 0;

  /// Waits until every record published before is acknowledged (durable).
  /// Errors: the first delivery error since the last flush; kUnavailable
  /// when `timeout` passed first.
  [[nodiscard]] virtual Status flush(std::chrono::milliseconds timeout) = 0;

  /// Wakes blocked publishers; every later publish gives kCancelled.
  virtual void close() = 0;
};

}  // namespace swavd::ingest
