#include "dedup_free_loader/isolation/sandbox.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace swavd::loader {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

Error cannot(const char* what, int error) {
  return {
      ErrorCode::kUnavailable,
      fmt::format("{}: {}", what, std::strerror(error))};
}

Status set_limit(__rlimit_resource what, std::uint64_t most) {
  const rlimit limit{most, most};
  if (::setrlimit(what, &limit) != 0) {
    return cannot("cannot limit a resource", errno);
  }
  return ok_status();
}

/// Forbids every kind of access to files that the kernel's Landlock knows.
Status forbid_files() {
  const auto version = ::syscall(
      SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0) {
    return ok_status();  // the kernel has none; seccomp forbids to open any
  }
  landlock_ruleset_attr rules{};
  // Each version adds the next bit: 13 in the first, REFER, TRUNCATE.
  constexpr std::uint64_t kFirst = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1U) - 1;
  rules.handled_access_fs = kFirst;
  if (version >= 2) {
    rules.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
  }
  const auto ruleset =
      ::syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
  if (ruleset < 0) {
    return cannot("cannot make a Landlock ruleset", errno);
  }
  const auto restricted =
      ::syscall(SYS_landlock_restrict_self, static_cast<int>(ruleset), 0);
  const int error = errno;
  ::close(static_cast<int>(ruleset));
  return restricted == 0 ? ok_status()
                         : Status(cannot("cannot enter Landlock", error));
}

struct ReleaseFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};

/// Kills the process at any system call but those that decoding makes.
Status forbid_calls() {
  const std::unique_ptr<void, ReleaseFilter> filter(
      seccomp_init(SCMP_ACT_KILL_PROCESS));
  if (filter == nullptr) {
    return cannot("cannot make a seccomp filter", ENOMEM);
  }
  int failed = 0;
  const auto allow = [&](int call) {
    failed = failed != 0
                 ? failed
                 : seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
  };
  for (const int call : {SCMP_SYS(read),          SCMP_SYS(write),
                         SCMP_SYS(sendto),        SCMP_SYS(recvfrom),
                         SCMP_SYS(close),         SCMP_SYS(brk),
                         SCMP_SYS(munmap),        SCMP_SYS(mremap),
                         SCMP_SYS(madvise),       SCMP_SYS(futex),
                         SCMP_SYS(clock_gettime), SCMP_SYS(getrandom),
                         SCMP_SYS(exit),          SCMP_SYS(exit_group),
                         SCMP_SYS(rt_sigreturn),  SCMP_SYS(rt_sigprocmask),
                         SCMP_SYS(getpid),        SCMP_SYS(gettid),
                         SCMP_SYS(tgkill),        SCMP_SYS(restart_syscall)}) {
    allow(call);
  }
  allow(SCMP_SYS(sysinfo));  // qsort asks how much memory there is
  // Memory, but none that can be executed.
  const scmp_arg_cmp not_executable = {
      .arg = 2,  // the protection's place
      .op = SCMP_CMP_MASKED_EQ,
      .datum_a = PROT_EXEC,
      .datum_b = 0};
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    failed = failed != 0
                 ? failed
                 : seccomp_rule_add(
                       filter.get(), SCMP_ACT_ALLOW, call, 1, not_executable);
  }
  failed = failed != 0 ? failed : seccomp_load(filter.get());
  return failed == 0 ? ok_status()
                     : Status(cannot("cannot enter seccomp", -failed));
}

}  // namespace

Status enter_sandbox(std::uint64_t memory_bytes) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return cannot("cannot give up privileges", errno);
  }
  SWAVD_RETURN_IF_ERROR(set_limit(RLIMIT_CORE, 0));
  if (kSanitized) {
    return ok_status();  // reports need standard error, perhaps a file
  }
  SWAVD_RETURN_IF_ERROR(set_limit(RLIMIT_FSIZE, 0));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return cannot("cannot become undumpable", errno);
  }
  SWAVD_RETURN_IF_ERROR(set_limit(RLIMIT_AS, memory_bytes));
  SWAVD_RETURN_IF_ERROR(forbid_files());
  SWAVD_RETURN_IF_ERROR(set_limit(RLIMIT_NOFILE, 0));
  SWAVD_RETURN_IF_ERROR(set_limit(RLIMIT_NPROC, 0));
  SWAVD_RETURN_IF_ERROR(forbid_calls());
  // Some decoders tell there what is wrong with a file; a rejection does.
  ::close(STDERR_FILENO);
  return ok_status();
}

}  // namespace swavd::loader
