#include "dedup_free_loader/decode_server.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory_resource>
#include <new>
#include <optional>
#include <string>
#include <variant>

#include <fmt/format.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dedup_free_loader/decode/color_profile.h"
#include "dedup_free_loader/image.h"
#include "dedup_free_loader/isolation/sandbox.h"
#include "dedup_free_loader/isolation/wire.h"
#include "ops/base/clock.h"

namespace swavd::loader {

namespace {

bool send(const Message& message) {
  return ::send(kHelperSocket, &message, sizeof(message), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(sizeof(message));
}

/// The next message; nullopt when the worker has gone.
std::optional<Message> receive() {
  Message message;
  ssize_t bytes = -1;
  do {
    bytes = ::recv(kHelperSocket, &message, sizeof(message), 0);
  } while (bytes < 0 && errno == EINTR);
  if (bytes != static_cast<ssize_t>(sizeof(message))) {
    return std::nullopt;
  }
  return message;
}

/// Gives the shared memory for pixels to whoever asks first, of a picture: so
/// pixels are decoded to where the worker reads them.
class PixelMemory final : public std::pmr::memory_resource {
 public:
  PixelMemory(std::uint8_t* memory, std::size_t bytes)
      : memory_(memory),
        bytes_(bytes) {}

 private:
  void* do_allocate(std::size_t bytes, std::size_t /*alignment*/) override {
    if (taken_ || bytes > bytes_) {
      throw std::bad_alloc();
    }
    taken_ = true;
    return memory_;
  }

  void do_deallocate(void*, std::size_t, std::size_t) override {
    taken_ = false;
  }

  [[nodiscard]] bool do_is_equal(
      const memory_resource& other) const noexcept override {
    return this == &other;
  }

  std::uint8_t* memory_;
  std::size_t bytes_;
  bool taken_ = false;
};

Message rejected(const Rejection& rejection) {
  Message message;
  message.kind = MessageKind::kRejected;
  message.reason = rejection.reason;
  message.detail_bytes = static_cast<std::uint32_t>(
      std::min(rejection.detail.size(), message.detail.size()));
  std::copy_n(
      rejection.detail.begin(), message.detail_bytes, message.detail.begin());
  return message;
}

class Server {
 public:
  Server(const Message& start, std::uint8_t* memory, const DecodeFile& decode)
      : decode_(decode),
        file_(memory),
        pixels_(memory + start.file_bytes, start.pixel_bytes),
        options_(start.options) {
    if (options_.color_profiles) {
      prepare_transforms();
    }
    std::pmr::set_default_resource(&pixels_);
  }

  void serve() {
    while (const auto message = receive()) {
      if (message->kind != MessageKind::kDecode ||
          message->file_bytes > options_.limits.max_bytes) {
        return;
      }
      Message answer = decode(*message);
      if (worker_left_) {
        return;
      }
      answer.cpu_total = thread_cpu_seconds();
      if (!send(answer)) {
        return;
      }
    }
  }

 private:
  Message decode(const Message& task) {
    const Bytes file(file_, task.file_bytes);
    PictureSize whole;
    ChooseRegion choose;
    // Of the others all is decoded in any case: no need to ask.
    if (sniff_format(file) == "jpeg") {
      choose = [&](std::int32_t width, std::int32_t height) {
        whole = {.width = width, .height = height};
        return whole == task.whole ? Wanted(task.part, task.denominator)
                                   : ask(whole);
      };
    }
    const auto decoded = decode_(file, options_, choose);
    if (const auto* rejection = std::get_if<Rejection>(&decoded)) {
      return rejected(*rejection);
    }
    const Image& image = std::get<Image>(decoded);
    Message message;
    message.kind = MessageKind::kImage;
    message.part = {image.x, image.y, image.width, image.height};
    message.whole = choose ? whole : PictureSize{image.width, image.height};
    message.denominator = image.denominator;
    message.filled = image.filled ? 1 : 0;
    return message;
  }

  /// Asks the worker which part of a picture it needs.
  Wanted ask(const PictureSize& whole) {
    Message question;
    question.kind = MessageKind::kSize;
    question.whole = whole;
    const auto answer = send(question) ? receive() : std::nullopt;
    if (!answer || answer->kind != MessageKind::kRegion) {
      worker_left_ = true;
      return Region{.width = whole.width, .height = whole.height};
    }
    return {answer->part, answer->denominator};
  }

  const DecodeFile& decode_;
  const std::uint8_t* file_;
  PixelMemory pixels_;
  DecodeOptions options_;
  bool worker_left_ = false;
};

/// Room for what decoders hold beside the file and the pixels: a progressive
/// JPEG's coefficients have 6 bytes a pixel, an animation's canvases 8, an
/// AVIF's planes of more than 8 bits 8, and as much again where it is made of
/// several.
std::uint64_t address_space(const Message& start) {
  constexpr std::uint64_t kProgram = 512U << 20U;
  constexpr std::uint64_t kBytesOfAPixel = 16;
  return kProgram + start.file_bytes + start.pixel_bytes +
         kBytesOfAPixel * start.options.limits.max_pixels;
}

}  // namespace

int serve_decoding(const DecodeFile& decode) {
  constexpr int kUsage = 64;
  constexpr int kUnavailable = 69;
  // What one picture needed is kept for the next: given back, each would have
  // its pages faulted in anew.
  constexpr int kKeptBytes = 32 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kKeptBytes);
  ::mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  // Not to outlive a worker that was killed while this process waits for it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);

  struct stat memory_file {};

  const auto start = receive();
  if (!start || start->kind != MessageKind::kStart ||
      ::fstat(kHelperMemory, &memory_file) != 0) {
    fmt::print(stderr, "swavd-decode: swavd starts this program by itself\n");
    return kUsage;
  }
  const std::size_t bytes = start->file_bytes + start->pixel_bytes;
  void* const memory = ::mmap(
      nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, kHelperMemory, 0);
  if (memory == MAP_FAILED) {
    fmt::print(stderr, "swavd-decode: cannot map the shared memory\n");
    return kUnavailable;
  }
  Server server(*start, static_cast<std::uint8_t*>(memory), decode);
  if (const Status status = enter_sandbox(address_space(*start));
      !status.ok()) {
    fmt::print(stderr, "swavd-decode: {}\n", status.error().message);
    return kUnavailable;
  }
  Message ready;
  ready.kind = MessageKind::kReady;
  ready.cpu_total = thread_cpu_seconds();
  if (send(ready)) {
    server.serve();
  }
  return 0;
}

}  // namespace swavd::loader
