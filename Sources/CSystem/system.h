// System calls that Swift cannot reach directly: variadic functions, macros, errno.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <dirent.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

static inline int system_open(const char *path, int flags, int mode) { return open(path, flags | O_CLOEXEC, mode); }
static inline int system_errno(void) { return errno; }
static inline void system_set_errno(int number) { errno = number; }
/// Whether a descriptor was opened for appending.
static inline _Bool system_appends(int descriptor) { return (fcntl(descriptor, F_GETFL) & O_APPEND) != 0; }
/// A duplicate of a descriptor (3 or more), which started programs do not inherit; negative on failure.
static inline int system_duplicate(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, 3); }

// The kernel's value; C libraries hide it.
#ifndef O_PATH
#define O_PATH 010000000
#endif
/// Opens a descriptor that can neither be read nor written: a placeholder for standard descriptors that the program was started without.
static inline int system_open_nothing(void) { return open("/", O_PATH); }
/// Whether a path is in /proc, whose links are not paths.
static inline _Bool system_is_proc(const char *path) {
  struct statfs status;
  return statfs(path, &status) == 0 && status.f_type == 0x9fa0;
}
/// A random number.
static inline uint64_t system_random(void) {
  uint64_t number = 0;
  if (getentropy(&number, sizeof number) != 0) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    number = ((uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec) * 0x9E3779B97F4A7C15u ^ (uint64_t)getpid() << 32;
  }
  return number;
}

/// The limit of this process's address space.
static inline int system_address_limit(struct rlimit *limit) { return getrlimit(RLIMIT_AS, limit); }

/// Whether `count` bytes can still be mapped within that limit.
static inline _Bool system_has_addresses(size_t count) {
  void *base = mmap(NULL, count, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) return 0;
  munmap(base, count);
  return 1;
}

/// Wrappers of a stream and a thread, because their types differ between C libraries.
typedef struct { FILE *file; } system_stream;
typedef struct __attribute__((swift_attr("@Sendable"))) { pthread_t id; } system_thread;

static inline FILE *system_stdout(void) { return stdout; }
static inline FILE *system_stderr(void) { return stderr; }

/// Maps `count` bytes of a file read-only; null on failure.
static inline void *system_map(int descriptor, size_t count) {
  void *base = mmap(NULL, count, PROT_READ, MAP_PRIVATE, descriptor, 0);
  return base == MAP_FAILED ? NULL : base;
}

// MARK: - Folders
static inline const char *system_entry_name(const struct dirent *entry) { return entry->d_name; }

// MARK: - Waiting

/// A descriptor that is readable from `system_event_raise` on; negative on failure.
static inline int system_event(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
static inline void system_event_raise(int descriptor) {
  uint64_t one = 1;
  if (write(descriptor, &one, sizeof one) < 0) return;  // already raised as high as it goes
}

/// Blocks until a descriptor can be read: -1 when `stop` can, 1 when `descriptor` can (or is at its end, or in error), 0 when
/// `milliseconds` (negative: forever) have passed. Signals do not end it.
static inline int system_wait(int descriptor, int stop, int milliseconds) {
  struct pollfd sets[2] = {{stop, POLLIN, 0}, {descriptor, POLLIN, 0}};
  int count;
  do count = poll(sets, 2, milliseconds);
  while (count < 0 && errno == EINTR);
  return sets[0].revents ? -1 : count > 0;
}

/// Blocks until a descriptor can be written (or is in error).
static inline void system_wait_writable(int descriptor) {
  struct pollfd set = {descriptor, POLLOUT, 0};
  while (poll(&set, 1, -1) < 0 && errno == EINTR) {
  }
}

/// A condition whose deadlines are on the monotonic clock.
static inline void system_condition_init(pthread_cond_t *condition) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

// MARK: - Signals

/// Signals that end a program from outside, or because it exceeded a limit.
static const int system_ends[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGXCPU};

/// Calls `handler` once when one of `system_ends` would end the program; a signal that is ignored stays ignored. A broken pipe
/// or an exceeded file size becomes an error of `write` instead of a signal.
static inline void system_signals_prepare(void (*handler)(int)) {
  for (size_t i = 0; i < sizeof system_ends / sizeof *system_ends; i++) {
    struct sigaction action;
    if (sigaction(system_ends[i], NULL, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(system_ends[i], &action, NULL);
  }
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
}
/// Calls the handler also on SIGBUS: a mapped file has become shorter, or its disk failed.
static inline void system_signals_prepare_mapping(void (*handler)(int)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = (int)SA_RESETHAND;
  sigaction(SIGBUS, &action, NULL);
}
/// The end of a handler: performs the signal's default action. The kernel has none for process 1, which exits instead with the status that a
/// shell would report.
static inline void system_signal_end(int number) {
  if (getpid() == 1) _exit(128 + number);
  raise(number);
}

static inline sigset_t system_messages(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}
static inline void system_signals_hold(void) {
  sigset_t set = system_messages();
  pthread_sigmask(SIG_BLOCK, &set, NULL);
}
/// Lets SIGTERM and SIGINT end the program again.
static inline void system_signals_release(void) {
  sigset_t set = system_messages();
  sigdelset(&set, SIGHUP);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
/// The next held signal; 0 when interrupted.
static inline int system_signal_wait(void) {
  sigset_t set = system_messages();
  int number = 0;
  return sigwait(&set, &number) == 0 ? number : 0;
}

// MARK: - Threads

/// Processors that the calling thread may run on; 0 where the kernel does not report it.
static inline int system_allowed_processors(void) {
  // Room for 8192 processors, the most that Linux supports.
  unsigned char mask[1024];
  long size = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
  int count = 0;
  for (long i = 0; i < size; i++) count += __builtin_popcount(mask[i]);
  return count;
}

// glibc declares it with _GNU_SOURCE alone.
int sched_getcpu(void);
/// The number of the processor that the calling thread runs on.
static inline int32_t system_current_processor(void) { return sched_getcpu(); }

// MARK: - Processor features

#if defined(__x86_64__)
static inline _Bool system_has_avx2(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0;
}
/// AVX-512 (F, BW, CD, DQ, VL) and VNNI, and an operating system that saves their registers: the compiler's runtime reads XGETBV.
static inline _Bool system_has_vnni(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("x86-64-v4") != 0 && __builtin_cpu_supports("avx512vnni") != 0;
}
#elif defined(__aarch64__)
// Bits of Linux' AT_HWCAP and AT_HWCAP2, by the kernel's names; a C library's headers need not know the newer ones.
static inline _Bool system_has_dotprod(void) { return (getauxval(AT_HWCAP) >> 20 & 1) != 0; }  // HWCAP_ASIMDDP
static inline _Bool system_has_i8mm(void) { return (getauxval(AT_HWCAP2) >> 13 & 1) != 0; }    // HWCAP2_I8MM
#endif

// MARK: - Datagrams

/// The destination of datagrams. The socket is not connected: the kernel chooses route and own address anew for each datagram, so that the program
/// also uses a network that comes up later or gives the machine another address.
typedef struct {
  int descriptor;
  struct sockaddr_storage address;
  socklen_t length;
  /// The interface of a link-local IPv6 address (fe80::1%eth0), looked up for each datagram because its number can change.
  char interface[IF_NAMESIZE];
} system_datagrams;

/// Opens a socket for `port` of a numeric IPv4 or IPv6 address. Returns 0, or the error's number: EINVAL for an invalid address. Host
/// names are not supported: the system's resolver cannot be linked statically.
static inline int system_datagrams_open(system_datagrams *to, const char *address, int port) {
  char text[INET6_ADDRSTRLEN];
  const char *zone = strchr(address, '%');
  size_t length = zone ? (size_t)(zone - address) : strlen(address);
  memset(to, 0, sizeof *to);
  to->descriptor = -1;
  if (length >= sizeof text || (zone && (zone[1] == 0 || strlen(zone + 1) >= sizeof to->interface))) return EINVAL;
  memcpy(text, address, length);
  text[length] = 0;
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  if (!zone && inet_pton(AF_INET, text, &four.sin_addr) == 1) {
    memcpy(&to->address, &four, sizeof four);
    to->length = sizeof four;
  } else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1) {
    memcpy(&to->address, &six, sizeof six);
    to->length = sizeof six;
    if (zone) strcpy(to->interface, zone + 1);
  } else {
    return EINVAL;
  }
  to->descriptor = socket(to->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (to->descriptor < 0) return errno;
  const int yes = 1;
  // Broadcast addresses are allowed. If the network reports a lost datagram, sending the next one fails.
  setsockopt(to->descriptor, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes);
  if (to->length == sizeof four) setsockopt(to->descriptor, IPPROTO_IP, IP_RECVERR, &yes, sizeof yes);
  else setsockopt(to->descriptor, IPPROTO_IPV6, IPV6_RECVERR, &yes, sizeof yes);
  return 0;
}
/// Sends one datagram. Returns 0, or the error's number. `lost` is raised by one for each earlier datagram that the network reports as lost.
static inline int system_datagrams_send(system_datagrams *to, const void *bytes, size_t count, int64_t *lost) {
  if (to->interface[0]) {
    unsigned index = if_nametoindex(to->interface);
    if (index == 0) return ENODEV;
    ((struct sockaddr_in6 *)&to->address)->sin6_scope_id = index;
  }
  // Reports are in a separate queue; the last one also makes the next call fail without sending.
  struct msghdr report;
  memset(&report, 0, sizeof report);
  for (int i = 0; i < 64 && recvmsg(to->descriptor, &report, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0; i++) {
    *lost += 1;
    memset(&report, 0, sizeof report);
  }
  int pending = 0;
  socklen_t size = sizeof pending;
  getsockopt(to->descriptor, SOL_SOCKET, SO_ERROR, &pending, &size);
  return sendto(to->descriptor, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to->address, to->length) < 0 ? errno : 0;
}

/// Sends a datagram to a socket in the file system, or in the abstract namespace if the path begins with @. It may be lost.
static inline void system_tell(const char *path, const void *bytes, size_t count) {
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
static inline int64_t system_atomic_load(const int64_t *value) { return __atomic_load_n(value, __ATOMIC_SEQ_CST); }
static inline void system_atomic_store(int64_t *value, int64_t next) { __atomic_store_n(value, next, __ATOMIC_SEQ_CST); }
static inline int64_t system_atomic_add(int64_t *value, int64_t step) { return __atomic_fetch_add(value, step, __ATOMIC_SEQ_CST); }
/// Replaces `expected` by `next`; returns false if the value was another.
static inline _Bool system_atomic_exchange(int64_t *value, int64_t expected, int64_t next) {
  return __atomic_compare_exchange_n(value, &expected, next, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/// Hints to the core that this thread is spinning.
static inline void system_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}
