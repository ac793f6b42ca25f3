#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include <sys/types.h>

#include "dedup_free_loader/image.h"
#include "dedup_free_loader/isolation/wire.h"
#include "ops/base/descriptor.h"
#include "ops/base/result.h"

namespace swavd::loader {

struct HelperOptions {
  std::string program;  ///< path of `swavd-decode`
  DecodeOptions decode;
  /// CPU time that one picture may take; one that sleeps instead is given ten
  /// times as long.
  std::chrono::milliseconds image_timeout{10'000};
};

/// A process that decodes for one worker, so that a file which breaks a decoder
/// harms nothing but itself. It is started when it is first needed and again
/// after it was lost. For one thread, the same for the whole of its life.
class DecodeHelper {
 public:
  explicit DecodeHelper(HelperOptions options);
  DecodeHelper(const DecodeHelper&) = delete;
  DecodeHelper& operator=(const DecodeHelper&) = delete;
  ~DecodeHelper();

  /// As `decode_image`, and the same result, but a file whose decoding ends the
  /// process is rejected as kDecoderCrashed, one that takes too long as
  /// kTimeout. `choose` may be called twice: for the size that the file seems
  /// to have, then for that of the picture. The pixels are valid until the next
  /// call. Errors: kUnavailable, no process can be started or confined.
  [[nodiscard]] Result<std::variant<ImageView, Rejection>> decode(
      Bytes file,
      const ChooseRegion& choose);

  /// CPU time of the helper for the last file, from answer to answer; 0 when it
  /// gave none.
  [[nodiscard]] double cpu_seconds() const { return cpu_seconds_; }

 private:
  using Outcome = std::variant<ImageView, Rejection>;

  [[nodiscard]] Status start();
  [[nodiscard]] Status spawn(int socket, int memory);
  [[nodiscard]] Outcome converse(Bytes file, const ChooseRegion& choose);
  [[nodiscard]] bool is_sane(const PictureSize& whole) const;
  [[nodiscard]] bool send(const Message& message) const;
  [[nodiscard]] std::optional<Message> receive(std::chrono::milliseconds most);
  [[nodiscard]] double used_cpu() const;
  [[nodiscard]] Rejection lost();
  void kill();
  void come_here();
  void release_pages();

  const HelperOptions options_;
  std::uint64_t file_bytes_ = 0;   ///< room for a file, in whole pages
  std::uint64_t pixel_bytes_ = 0;  ///< room for its pixels
  pid_t pid_ = -1;
  Descriptor socket_;
  Descriptor memory_file_;
  std::uint8_t* memory_ = nullptr;
  std::uint64_t touched_ = 0;  ///< bytes of the last picture
  bool timed_out_ = false;
  int core_ = -1;         ///< the helper is kept on it; -1: on none yet
  double cpu_total_ = 0;  ///< of the helper, when it last said it
  double cpu_seconds_ = 0;
};

}  // namespace swavd::loader
