#include "state/content/piece_source.h"

#include <stop_token>
#include <utility>

#include "state/content/checked_read.h"

namespace swavd::state {

namespace {

constexpr std::size_t kPiecesAhead = 2;
// Below, a thread costs more than what it reads.
constexpr std::uint64_t kSmallBytes = 64U << 10U;

}  // namespace

PieceSource::PieceSource(SnapshotReader& reader, const FileEntry& file)
    : reader_(reader),
      file_(file),
      pieces_(kPiecesAhead) {
  if (file.bytes > kSmallBytes) {
    stage_.emplace(
        "state-read", [this](const std::stop_token&) { read_ahead(); });
  }
}

PieceSource::~PieceSource() {
  pieces_.close();
}

void PieceSource::read_ahead() {
  outcome_ = read_checked(reader_, file_, [this](Bytes piece) -> Status {
    if (!pieces_.push(ByteVector(piece.begin(), piece.end()))) {
      return Error{ErrorCode::kCancelled, "nobody wants the rest"};
    }
    return ok_status();
  });
  pieces_.close();
}

Result<Bytes> PieceSource::next() {
  if (!stage_ && !std::exchange(given_, true)) {
    read_small();
    if (outcome_.ok()) {
      return Bytes(current_);
    }
  }
  auto piece = stage_ ? pieces_.pop() : std::nullopt;
  if (piece) {
    current_ = std::move(*piece);
    return Bytes(current_);
  }
  if (stage_) {
    stage_->join();
  }
  if (!outcome_.ok()) {
    return outcome_.error();
  }
  return Bytes();
}

void PieceSource::read_small() {
  outcome_ = read_checked(reader_, file_, [this](Bytes piece) -> Status {
    current_.insert(current_.end(), piece.begin(), piece.end());
    return ok_status();
  });
}

}  // namespace swavd::state
