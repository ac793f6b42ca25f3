#include "ingest/log/log_connection.h"

#include <utility>

#include <fmt/format.h>

namespace swavd::ingest {

LogConnection::LogConnection(
    LogPaths paths,
    std::unique_ptr<LogReader> reader,
    FolderWatch& watch)
    : paths_(std::move(paths)),
      id_(reader->id()),
      partitions_(reader->partitions()),
      watch_(watch),
      reader_(std::move(reader)) {}

Result<bool> LogConnection::follow() {
  followed_ = clock_.steady();
  const Status fresh = refresh();
  if (fresh.ok()) {
    outage_ = false;
    return true;
  }
  if (fresh.error().code == ErrorCode::kCorruption) {
    return fresh.error();
  }
  if (std::exchange(outage_, true)) {
    return false;
  }
  return Error{
      ErrorCode::kUnavailable,
      fresh.error().with_context("stream outage").message};
}

Status LogConnection::refresh() {
  if (!reader_) {
    SWAVD_RETURN_IF_ERROR(reopen());
  }
  const Status status = reader_->catch_up();
  if (!status.ok()) {
    reader_.reset();
  }
  return status;
}

Status LogConnection::settle() {
  if (!reader_) {
    SWAVD_RETURN_IF_ERROR(reopen());
  }
  const Status status = reader_->settle();
  if (!status.ok()) {
    reader_.reset();
  }
  return status;
}

Status LogConnection::reopen() {
  auto reader = LogReader::open(paths_);
  if (!reader.ok()) {
    return reader.error();
  }
  if (reader.value()->id() != id_) {
    return Error{
        ErrorCode::kCorruption,
        fmt::format(
            "{}: another stream was made here; start a new run (--new-run)",
            paths_.database.string())};
  }
  SWAVD_RETURN_IF_ERROR(watch_.renew());
  reader_ = std::move(reader).value();
  return ok_status();
}

}  // namespace swavd::ingest
