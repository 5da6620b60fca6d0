// System calls that Swift cannot reach directly: variadic functions, macros, errno.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <dirent.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline int board_open(const char *path, int flags, int mode) { return open(path, flags | O_CLOEXEC, mode); }
static inline int board_errno(void) { return errno; }

/// 64-bit XXH3 of `count` bytes.
static inline uint64_t board_hash64(const void *bytes, size_t count) { return XXH3_64bits(bytes, count); }

/// The same in pieces: begin (null without memory), add, end (which frees the state).
static inline void *board_hash_begin(void) {
  XXH3_state_t *state = XXH3_createState();
  if (state) XXH3_64bits_reset(state);
  return state;
}
static inline void board_hash_add(void *state, const void *bytes, size_t count) {
  XXH3_64bits_update((XXH3_state_t *)state, bytes, count);
}
static inline uint64_t board_hash_end(void *state) {
  uint64_t hash = XXH3_64bits_digest((XXH3_state_t *)state);
  XXH3_freeState((XXH3_state_t *)state);
  return hash;
}

/// The limit of this process's address space.
static inline int board_address_limit(struct rlimit *limit) { return getrlimit(RLIMIT_AS, limit); }

/// Whether so many bytes can still be mapped within that limit.
static inline _Bool board_has_addresses(size_t count) {
  void *base = mmap(NULL, count, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return 0;
  munmap(base, count);
  return 1;
}

/// What C libraries make of a stream and of a thread differs: to Swift, types of their own.
typedef struct { FILE *file; } board_stream;
typedef struct __attribute__((swift_attr("@Sendable"))) { pthread_t id; } board_thread;

static inline FILE *board_stdout(void) { return stdout; }
static inline FILE *board_stderr(void) { return stderr; }

/// Maps `count` bytes of a file read-only; null on failure.
static inline void *board_map(int descriptor, size_t count) {
  void *base = mmap(NULL, count, PROT_READ, MAP_PRIVATE, descriptor, 0);
  return base == MAP_FAILED ? NULL : base;
}

// MARK: - Waiting

/// A descriptor that is readable from `board_event_raise` on; negative on failure.
static inline int board_event(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
static inline void board_event_raise(int descriptor) {
  uint64_t one = 1;
  if (write(descriptor, &one, sizeof one) < 0) return;  // already raised as high as it goes
}

/// Blocks until a descriptor can be read: -1 when `stop` can, 1 when `descriptor` can (or is at its end, or in error), 0 when
/// `milliseconds` (negative: forever) have passed. Signals do not end it.
static inline int board_wait(int descriptor, int stop, int milliseconds) {
  struct pollfd sets[2] = {{stop, POLLIN, 0}, {descriptor, POLLIN, 0}};
  int count;
  do count = poll(sets, 2, milliseconds);
  while (count < 0 && errno == EINTR);
  return sets[0].revents ? -1 : count > 0;
}

/// A condition whose deadlines are on the monotonic clock.
static inline void board_condition_init(pthread_cond_t *condition) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

// MARK: - Signals

static inline sigset_t board_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}
static inline void board_signals_hold(void) {
  sigset_t set = board_signals();
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
}
/// Lets SIGTERM and SIGINT end the program again.
static inline void board_signals_release(void) {
  sigset_t set = board_signals();
  sigdelset(&set, SIGHUP);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
/// The next held signal; 0 when interrupted.
static inline int board_signal_wait(void) {
  sigset_t set = board_signals();
  int number = 0;
  return sigwait(&set, &number) == 0 ? number : 0;
}

// MARK: - Datagrams

/// A socket that sends to `port` of a numeric IPv4 or IPv6 address; negative on failure, with EINVAL when the address is none. No names: the
/// system's resolver cannot be linked statically.
static inline int board_datagrams_to(const char *address, int port) {
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  int is_four = inet_pton(AF_INET, address, &four.sin_addr) == 1;
  if (!is_four && inet_pton(AF_INET6, address, &six.sin6_addr) != 1) {
    errno = EINVAL;
    return -1;
  }
  int descriptor = socket(is_four ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  int status = is_four ? connect(descriptor, (struct sockaddr *)&four, sizeof four) : connect(descriptor, (struct sockaddr *)&six, sizeof six);
  if (status == 0) return descriptor;
  close(descriptor);
  return -1;
}
/// 0, or the error's number.
static inline int board_datagram(int descriptor, const void *bytes, size_t count) {
  return send(descriptor, bytes, count, MSG_DONTWAIT) < 0 ? errno : 0;
}

/// Sends a datagram to a socket of the file system, or of the abstract namespace when the path begins with @. Nobody minds when it is lost.
static inline void board_tell(const char *path, const void *bytes, size_t count) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length == 0 || length >= sizeof address.sun_path) return;
  memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = 0;
  int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  if (sendto(descriptor, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, size) < 0) errno = 0;
  close(descriptor);
}

// MARK: - Atomics

// Sequentially consistent atomics on plain memory that Swift owns.
static inline int64_t board_atomic_load(const int64_t *value) { return __atomic_load_n(value, __ATOMIC_SEQ_CST); }
static inline void board_atomic_store(int64_t *value, int64_t next) { __atomic_store_n(value, next, __ATOMIC_SEQ_CST); }
static inline int64_t board_atomic_add(int64_t *value, int64_t step) { return __atomic_fetch_add(value, step, __ATOMIC_SEQ_CST); }
/// Replaces `expected` by `next`; false when the value was another.
static inline _Bool board_atomic_exchange(int64_t *value, int64_t expected, int64_t next) {
  return __atomic_compare_exchange_n(value, &expected, next, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
/// Calls `handler` once when SIGTERM, SIGINT or SIGHUP would end the program.
static inline void board_on_end(void (*handler)(int)) {
  static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    struct sigaction action;
    if (sigaction(signals[i], NULL, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(signals[i], &action, NULL);
  }
}

/// Tells the core that this thread is spinning.
static inline void board_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
