#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "ops/base/bytes.h"
#include "ops/base/result.h"

namespace swavd::state {

/// Cuts what a source gives into parts that can be sent again: a source can be
/// read once only.
class PartReader {
 public:
  /// `source` gives pieces, an empty one at its end, and is borrowed. `name`:
  /// the object, for messages. `bytes`: what there must be in all.
  PartReader(
      const std::function<Result<Bytes>()>& source,
      std::string name,
      std::uint64_t bytes);

  /// The next part, of `size` bytes or of what is left. The last one is only
  /// given once the source has reported its end, right where it must be.
  /// Errors: the source's; kIo, it has another length.
  [[nodiscard]] Result<ByteVector> next(std::uint64_t size);

  /// All parts have been given.
  [[nodiscard]] bool done() const { return left_ == 0; }

 private:
  [[nodiscard]] Status expect_end();
  [[nodiscard]] Error wrong_length() const;

  const std::function<Result<Bytes>()>& source_;
  const std::string name_;
  const std::uint64_t bytes_;
  std::uint64_t left_;  ///< not given yet
  Bytes piece_;         ///< what the source gave beyond the last part
};

}  // namespace swavd::state
