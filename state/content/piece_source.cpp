#include "state/content/piece_source.h"

#include <stop_token>
#include <utility>

#include "state/content/checked_read.h"

namespace swavd::state {

namespace {

constexpr std::size_t kPiecesAhead = 2;

}  // namespace

PieceSource::PieceSource(SnapshotReader& reader, const FileEntry& file)
    : pieces_(kPiecesAhead),
      stage_("state-read", [this, &reader, &file](const std::stop_token&) {
        outcome_ = read_checked(reader, file, [this](Bytes piece) -> Status {
          if (!pieces_.push(ByteVector(piece.begin(), piece.end()))) {
            return Error{ErrorCode::kCancelled, "nobody wants the rest"};
          }
          return ok_status();
        });
        pieces_.close();
      }) {}

PieceSource::~PieceSource() {
  pieces_.close();
  stage_.join();
}

Result<Bytes> PieceSource::next() {
  auto piece = pieces_.pop();
  if (piece) {
    current_ = std::move(*piece);
    return Bytes(current_);
  }
  stage_.join();
  if (!outcome_.ok()) {
    return outcome_.error();
  }
  return Bytes();
}

}  // namespace swavd::state
