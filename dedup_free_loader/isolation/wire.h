#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dedup_free_loader/image.h"

namespace swavd::loader {

// What a decoding helper and its worker say to each other: one packet of a
// SOCK_SEQPACKET pair a message. File and pixels lie in memory that both have
// mapped: `file_bytes` for the file, then `pixel_bytes` for the pixels.
//
//   worker: kStart        helper: kReady
//   worker: kDecode       helper: [kSize, worker: kRegion,] kImage or kRejected
//
// The worker guesses a picture's size and says at once which part it wants, so
// that few files need the question: each message may put a process to sleep and
// wake it up.

/// The descriptors a helper is born with.
inline constexpr int kHelperSocket = 3;
inline constexpr int kHelperMemory = 4;

enum class MessageKind : std::uint32_t {
  kStart,
  kReady,   ///< the helper can do nothing any more but decode
  kDecode,  ///< the file lies there; of a picture of this size, that part
  kSize,    ///< so large is the picture instead: which part is wanted?
  kRegion,  ///< this one
  kImage,   ///< the pixels lie there
  kRejected,
};

/// Plain bytes: both ends are of one build.
struct Message {
  MessageKind kind = MessageKind::kStart;
  RejectReason reason = RejectReason::kMalformed;  ///< of kRejected
  PictureSize whole;  ///< kDecode (0, 0: no guess), kSize, kImage
  Region part;        ///< kDecode, kRegion: wanted; kImage: given
  /// kDecode, kRegion: the largest wanted; kImage: that the part is given at.
  std::int32_t denominator = 1;
  std::uint32_t filled = 0;       ///< kImage: 1 if the file ended early
  std::uint64_t file_bytes = 0;   ///< kStart: room for it; kDecode: its length
  std::uint64_t pixel_bytes = 0;  ///< kStart: room
  DecodeOptions options;          ///< kStart
  double cpu_total = 0;  ///< kReady, kImage, kRejected: seconds used so far
  std::uint32_t detail_bytes = 0;
  std::array<char, 440> detail{};  ///< kRejected: UTF-8, cut when longer
};

static_assert(std::is_trivially_copyable_v<Message>);

}  // namespace swavd::loader
