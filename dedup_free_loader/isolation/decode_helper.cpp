#include "dedup_free_loader/isolation/decode_helper.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dedup_free_loader/decode/parts.h"
#include "ops/base/spawn_setup.h"

namespace swavd::loader {

namespace {

// A picture above this leaves its pages to the system again.
constexpr std::uint64_t kKeptBytes = 32U << 20U;
// Of CPU time, for a start, which loads all decoders.
constexpr std::chrono::milliseconds kStartTimeout{10'000};

std::uint64_t whole_pages(std::uint64_t bytes) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

Error cannot(std::string_view what, int error) {
  return {
      ErrorCode::kUnavailable,
      fmt::format(
          "isolated decoding: {}: {}; set loader.isolation = \"none\" to "
          "decode without, if you trust the stream",
          what,
          std::strerror(error))};
}

/// True when `part`, at 1/`denominator`, is a picture's part that is as wanted.
bool holds(
    const PictureSize& picture,
    const Region& part,
    std::int32_t denominator,
    const Wanted& most) {
  if (denominator < 1 || most.denominator % denominator != 0) {
    return false;
  }
  const Region whole = scaled_down(
      {.width = picture.width, .height = picture.height}, denominator);
  const Region wanted = scaled_down(most.region, denominator);
  return part.x >= 0 && part.y >= 0 && part.width > 0 && part.height > 0 &&
         part.x <= whole.width - part.width &&
         part.y <= whole.height - part.height && part.x <= wanted.x &&
         part.y <= wanted.y && part.x + part.width >= wanted.x + wanted.width &&
         part.y + part.height >= wanted.y + wanted.height;
}

}  // namespace

DecodeHelper::DecodeHelper(HelperOptions options)
    : options_(std::move(options)),
      file_bytes_(whole_pages(options_.decode.limits.max_bytes)),
      pixel_bytes_(whole_pages(3 * options_.decode.limits.max_pixels)) {}

DecodeHelper::~DecodeHelper() {
  kill();
  if (memory_ != nullptr) {
    ::munmap(memory_, file_bytes_ + pixel_bytes_);
  }
}

Result<std::variant<ImageView, Rejection>> DecodeHelper::decode(
    Bytes file,
    const ChooseRegion& choose) {
  cpu_seconds_ = 0;
  // What needs no decoder is the same for both ways of decoding.
  if (file.empty() || file.size() > options_.decode.limits.max_bytes) {
    auto refused = decode_image(file, options_.decode);
    return Outcome(std::get<Rejection>(std::move(refused)));
  }
  if (pid_ < 0) {
    SWAVD_RETURN_IF_ERROR(start());
  }
  return converse(file, choose);
}

Status DecodeHelper::start() {
  const std::uint64_t bytes = file_bytes_ + pixel_bytes_;
  if (memory_ == nullptr) {
    Descriptor file(::memfd_create("swavd-decode", MFD_CLOEXEC));
    if (file.get() < 0 ||
        ::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) {
      return cannot("no shared memory", errno);
    }
    void* const memory = ::mmap(
        nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) {
      return cannot("no shared memory", errno);
    }
    memory_ = static_cast<std::uint8_t*>(memory);
    memory_file_ = std::move(file);
  }
  cpu_total_ = 0;
  core_ = -1;
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) !=
      0) {
    return cannot("no socket", errno);
  }
  socket_ = Descriptor(ends[0]);
  // A receive that takes this long looks whether the helper is at work.
  const auto seconds =
      std::chrono::floor<std::chrono::seconds>(options_.image_timeout);
  const timeval patience{
      .tv_sec = seconds.count(),
      .tv_usec =
          std::chrono::microseconds(options_.image_timeout - seconds).count()};
  ::setsockopt(
      socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  {
    // Ours must go, or its end would not be seen.
    const Descriptor theirs(ends[1]);
    if (const Status status = spawn(theirs.get(), memory_file_.get());
        !status.ok()) {
      kill();
      return status;
    }
  }
  Message message;
  message.kind = MessageKind::kStart;
  message.file_bytes = file_bytes_;
  message.pixel_bytes = pixel_bytes_;
  message.options = options_.decode;
  const auto answer =
      send(message) ? receive(std::max(options_.image_timeout, kStartTimeout))
                    : std::nullopt;
  if (!answer || answer->kind != MessageKind::kReady) {
    kill();
    return cannot(
        fmt::format("{} does not confine itself", options_.program), EPERM);
  }
  cpu_total_ = answer->cpu_total;
  return ok_status();
}

Status DecodeHelper::spawn(int socket, int memory) {
  // Above those the child gets, so that no copy overwrites the next one.
  constexpr int kAbove = 16;
  const Descriptor high_socket(::fcntl(socket, F_DUPFD_CLOEXEC, kAbove));
  const Descriptor high_memory(::fcntl(memory, F_DUPFD_CLOEXEC, kAbove));
  if (high_socket.get() < 0 || high_memory.get() < 0) {
    return cannot("no descriptors", errno);
  }
  SpawnSetup setup;
  posix_spawn_file_actions_adddup2(
      setup.files(), high_socket.get(), kHelperSocket);
  posix_spawn_file_actions_adddup2(
      setup.files(), high_memory.get(), kHelperMemory);
  posix_spawn_file_actions_addclosefrom_np(setup.files(), kHelperMemory + 1);
  std::string name = options_.program;
  std::array<char*, 2> arguments = {name.data(), nullptr};
  std::array<char*, 1> nothing = {nullptr};  // of our environment
  const int error = ::posix_spawn(
      &pid_,
      options_.program.c_str(),
      setup.files(),
      setup.attributes(),
      arguments.data(),
      nothing.data());
  if (error != 0) {
    pid_ = -1;
    return cannot("cannot start " + options_.program, error);
  }
  return ok_status();
}

DecodeHelper::Outcome DecodeHelper::converse(
    Bytes file,
    const ChooseRegion& choose) {
  release_pages();
  come_here();
  std::memcpy(memory_, file.data(), file.size());
  Message message;
  message.kind = MessageKind::kDecode;
  message.file_bytes = file.size();
  const auto want = [&](const PictureSize& whole) {
    message.whole = whole;
    const Wanted wanted =
        choose ? choose(whole.width, whole.height)
               : Region{.width = whole.width, .height = whole.height};
    message.part = wanted.region;
    message.denominator = wanted.denominator;
  };
  if (const auto size = guess_jpeg_size(file); size && is_sane(*size)) {
    want(*size);
  }
  auto answer = send(message) ? receive(options_.image_timeout) : std::nullopt;
  if (answer && answer->kind != MessageKind::kRejected &&
      answer->whole != message.whole) {
    if (!is_sane(answer->whole)) {
      return lost();
    }
    want(answer->whole);
  }
  if (answer && answer->kind == MessageKind::kSize) {
    message.kind = MessageKind::kRegion;
    answer = send(message) ? receive(options_.image_timeout) : std::nullopt;
  }
  if (!answer) {
    return lost();
  }
  cpu_seconds_ =
      answer->cpu_total - std::exchange(cpu_total_, answer->cpu_total);
  if (answer->kind == MessageKind::kRejected &&
      answer->reason <= RejectReason::kLast &&
      answer->detail_bytes <= answer->detail.size()) {
    return Rejection{
        answer->reason,
        std::string(answer->detail.data(), answer->detail_bytes)};
  }
  if (answer->kind != MessageKind::kImage || answer->whole != message.whole ||
      !holds(
          message.whole,
          answer->part,
          answer->denominator,
          {message.part, message.denominator})) {
    return lost();  // it is not itself any more
  }
  ImageView image;
  image.x = answer->part.x;
  image.y = answer->part.y;
  image.width = answer->part.width;
  image.height = answer->part.height;
  image.denominator = answer->denominator;
  image.filled = answer->filled != 0;
  image.rgb = memory_ + file_bytes_;
  touched_ = std::uint64_t{3} * static_cast<std::uint64_t>(image.width) *
             static_cast<std::uint64_t>(image.height);
  return image;
}

/// Keeps the helper on the core that this thread runs on. They take turns, so
/// it is free meanwhile, and the file and its pixels stay in that core's
/// caches; the kernel would rather wake the helper on an idle core, far from
/// them.
void DecodeHelper::come_here() {
  const int core = ::sched_getcpu();
  if (core < 0 || core == core_) {
    return;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  if (::sched_setaffinity(pid_, sizeof(set), &set) == 0) {
    core_ = core;
  }
}

/// Most pictures are small: what a large one needed is given back.
void DecodeHelper::release_pages() {
  if (std::exchange(touched_, 0) > kKeptBytes) {
    (void)::fallocate(
        memory_file_.get(),
        FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
        static_cast<off_t>(file_bytes_ + kKeptBytes),
        static_cast<off_t>(pixel_bytes_ - kKeptBytes));
  }
}

/// True when this can be the size of a picture.
bool DecodeHelper::is_sane(const PictureSize& whole) const {
  return whole.width > 0 && whole.height > 0 &&
         static_cast<std::uint64_t>(whole.width) <=
             options_.decode.limits.max_pixels /
                 static_cast<std::uint64_t>(whole.height);
}

bool DecodeHelper::send(const Message& message) const {
  return ::send(socket_.get(), &message, sizeof(message), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(sizeof(message));
}

/// The helper's next message; nullopt when it is gone or has used `most` of CPU
/// time for it.
std::optional<Message> DecodeHelper::receive(std::chrono::milliseconds most) {
  constexpr int kAsleep = 10;
  timed_out_ = false;
  std::chrono::milliseconds waited{0};
  while (true) {
    Message message;
    const ssize_t bytes = ::recv(socket_.get(), &message, sizeof(message), 0);
    if (bytes == static_cast<ssize_t>(sizeof(message))) {
      return message;
    }
    if (bytes < 0 && errno == EINTR) {
      continue;
    }
    if (bytes >= 0 || errno != EAGAIN) {
      return std::nullopt;
    }
    // On a busy machine it may not have had its share of the time.
    waited += options_.image_timeout;
    if (used_cpu() - cpu_total_ >=
            std::chrono::duration<double>(most).count() ||
        waited >= kAsleep * most) {
      timed_out_ = true;
      return std::nullopt;
    }
  }
}

double DecodeHelper::used_cpu() const {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 ||
      ::clock_gettime(clock, &used) != 0) {
    return 0;
  }
  constexpr double kNano = 1e-9;
  return static_cast<double>(used.tv_sec) +
         kNano * static_cast<double>(used.tv_nsec);
}

/// What becomes of the record whose decoding has cost the helper.
Rejection DecodeHelper::lost() {
  if (timed_out_) {
    kill();
    return {
        RejectReason::kTimeout,
        fmt::format(
            "decoding took more than {} s",
            std::chrono::duration<double>(options_.image_timeout).count())};
  }
  int status = 0;
  ::kill(pid_, SIGKILL);  // it may be there still, and not be itself
  const bool ended = ::waitpid(pid_, &status, 0) == pid_;
  pid_ = -1;
  kill();
  const bool by_signal = ended && WIFSIGNALED(status);
  return {
      RejectReason::kDecoderCrashed,
      by_signal
          ? fmt::format("the decoder was ended by signal {}", WTERMSIG(status))
          : fmt::format(
                "the decoder ended with status {}", WEXITSTATUS(status))};
}

void DecodeHelper::kill() {
  if (pid_ >= 0) {
    ::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  socket_.close();
}

}  // namespace swavd::loader
