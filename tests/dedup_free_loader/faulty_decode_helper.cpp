// A decoding helper whose decoder has faults: a file that begins with "!" and a
// word makes it do what a decoder taken over by its input might. All others are
// decoded.

#include <csignal>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dedup_free_loader/decode_server.h"

namespace {

using swavd::Bytes;
using swavd::loader::ChooseRegion;
using swavd::loader::DecodeOptions;
using swavd::loader::Image;
using swavd::loader::Rejection;
using swavd::loader::RejectReason;

volatile int sink = 0;

void loop_for_ever() {
  while (true) {
    sink = sink + 1;
  }
}

void sleep_for_ever() {
  std::mutex mutex;
  mutex.lock();
  mutex.lock();
}

/// Writes behind the pixels until there is no memory any more.
Image write_out_of_bounds() {
  Image image;
  image.rgb.resize(48);
  for (std::size_t i = 0;; ++i) {
    const_cast<volatile std::uint8_t*>(image.rgb.data())[i] = 1;
  }
}

/// Says that the picture is there, and more of it than there is.
Image lie() {
  Image image;
  image.width = 1'000'000;
  image.height = 1'000'000;
  return image;
}

/// Gives a picture at a scale that nobody wants.
Image scale(const ChooseRegion& choose) {
  Image image;
  image.width = 2;
  image.height = 2;
  image.denominator = 2;
  image.rgb.resize(12);
  if (choose) {
    choose(4, 4);
  }
  return image;
}

std::variant<Image, Rejection> eat_memory() {
  try {
    for (std::size_t mebibytes = 0;; ++mebibytes) {
      sink = static_cast<int>(reinterpret_cast<std::uintptr_t>(
          ::operator new (std::size_t{1} << 20U)));
    }
  } catch (const std::bad_alloc&) {
    return Rejection{RejectReason::kTooManyPixels, "no memory"};
  }
}

std::variant<Image, Rejection>
decode(Bytes file, const DecodeOptions& options, const ChooseRegion& choose) {
  const std::string_view word = swavd::as_text(file);
  if (word == "!segv") {
    std::raise(SIGSEGV);
  } else if (word == "!abort") {
    std::abort();
  } else if (word == "!exit") {
    std::_Exit(3);
  } else if (word == "!loop") {
    loop_for_ever();
  } else if (word == "!sleep") {
    sleep_for_ever();
  } else if (word == "!write") {
    return write_out_of_bounds();
  } else if (word == "!lie") {
    return lie();
  } else if (word == "!scale") {
    return scale(choose);
  } else if (word == "!memory") {
    return eat_memory();
  } else if (word == "!open") {
    sink = ::open("/etc/passwd", O_RDONLY);
  } else if (word == "!socket") {
    sink = ::socket(AF_INET, SOCK_STREAM, 0);
  } else if (word == "!fork") {
    sink = ::fork();
  } else if (word == "!exec") {
    sink = ::execl("/bin/true", "true", nullptr);
  } else if (word == "!kill") {
    sink = ::kill(::getppid(), SIGTERM);
  } else if (word == "!code") {
    ::mmap(
        nullptr,
        4096,
        PROT_READ | PROT_WRITE | PROT_EXEC,
        MAP_PRIVATE | MAP_ANONYMOUS,
        -1,
        0);
  }
  return swavd::loader::decode_image(file, options, choose);
}

}  // namespace

int main() {
  // These faults are meant: no sanitizer is to report them, which takes
  // seconds.
  std::signal(SIGSEGV, SIG_DFL);
  return swavd::loader::serve_decoding(decode);
}
