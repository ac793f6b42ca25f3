// librdkafka uses the threads of C11, which GCC's ThreadSanitizer does not
// know: its runtime crashes in a thread it has not seen begin. Under TSan
// these definitions stand in front of the C library's and go through
// pthreads, which TSan watches. In glibc the types are the same underneath.
#if defined(__SANITIZE_THREAD__)

#include <cerrno>
#include <cstdint>
#include <memory>

#include <pthread.h>
#include <threads.h>

namespace {

struct Start {
  thrd_start_t body;
  void* argument;
};

void* run_body(void* raw) {
  const std::unique_ptr<Start> start(static_cast<Start*>(raw));
  return reinterpret_cast<void*>(
      static_cast<std::intptr_t>(start->body(start->argument)));
}

pthread_mutex_t* as_pthread(mtx_t* mutex) {
  return reinterpret_cast<pthread_mutex_t*>(mutex);
}

pthread_cond_t* as_pthread(cnd_t* condition) {
  return reinterpret_cast<pthread_cond_t*>(condition);
}

int as_thrd(int error) {
  if (error == 0) {
    return thrd_success;
  }
  return error == ETIMEDOUT ? thrd_timedout : thrd_error;
}

}  // namespace

extern "C" {

/// The library itself is not watched: its atomic counters are invisible, so
/// that what it frees after the last of several owners looks like a race.
const char* __tsan_default_suppressions() {
  return "called_from_lib:librdkafka.so.1\n";
}

int thrd_create(thrd_t* thread, thrd_start_t body, void* argument) {
  auto start = std::make_unique<Start>(Start{body, argument});
  const int error = pthread_create(thread, nullptr, run_body, start.get());
  if (error == 0) {
    (void)start.release();  // the thread owns it now
  }
  return as_thrd(error);
}

int thrd_join(thrd_t thread, int* result) {
  void* raw = nullptr;
  const int error = pthread_join(thread, &raw);
  if (result != nullptr) {
    *result = static_cast<int>(reinterpret_cast<std::intptr_t>(raw));
  }
  return as_thrd(error);
}

int mtx_init(mtx_t* mutex, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(
      &attributes,
      (type & mtx_recursive) != 0 ? PTHREAD_MUTEX_RECURSIVE
                                  : PTHREAD_MUTEX_NORMAL);
  const int error = pthread_mutex_init(as_pthread(mutex), &attributes);
  pthread_mutexattr_destroy(&attributes);
  return as_thrd(error);
}

int mtx_lock(mtx_t* mutex) {
  return as_thrd(pthread_mutex_lock(as_pthread(mutex)));
}

int mtx_unlock(mtx_t* mutex) {
  return as_thrd(pthread_mutex_unlock(as_pthread(mutex)));
}

void mtx_destroy(mtx_t* mutex) {
  pthread_mutex_destroy(as_pthread(mutex));
}

int cnd_init(cnd_t* condition) {
  return as_thrd(pthread_cond_init(as_pthread(condition), nullptr));
}

int cnd_signal(cnd_t* condition) {
  return as_thrd(pthread_cond_signal(as_pthread(condition)));
}

int cnd_broadcast(cnd_t* condition) {
  return as_thrd(pthread_cond_broadcast(as_pthread(condition)));
}

int cnd_wait(cnd_t* condition, mtx_t* mutex) {
  return as_thrd(pthread_cond_wait(as_pthread(condition), as_pthread(mutex)));
}

int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
  return as_thrd(
      pthread_cond_timedwait(as_pthread(condition), as_pthread(mutex), until));
}

void cnd_destroy(cnd_t* condition) {
  pthread_cond_destroy(as_pthread(condition));
}

}  // extern "C"

#endif  // defined(__SANITIZE_THREAD__)
