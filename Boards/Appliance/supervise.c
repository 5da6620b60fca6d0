// Runs the program as systemd would a service of Type=notify: starts it again when it ends, waits for "ready", and ends it when it does not feed its
// watchdog.
// supervise FOLDER PATIENCE FAILURES PROGRAM ARGUMENT...
// FOLDER/state is one line: "starting", "ready PROCESS FEEDINGS", "failed" or "stopped". FOLDER/log has what the program prints, at most 1 MB of it;
// what was before is in FOLDER/log.1.
// Exit status 1: it was not ready within PATIENCE seconds (0: no limit) or ended FAILURES times before it was. 0: SIGTERM, which is passed on.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { restart_seconds = 5, watchdog_seconds = 60, stop_seconds = 10, log_bytes = 512 * 1024 };
static volatile sig_atomic_t ending;
static void end(int number) { (void)number; ending = 1; }
static const char *folder;

static void fail(const char *what) {
  fprintf(stderr, "supervise: %s: %s\n", what, strerror(errno));
  exit(2);
}
static const char *place(const char *name) {
  static char path[200];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}
static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/// Readers see the old line or the new one.
static void tell(const char *line) {
  char old[200];
  FILE *file = fopen(place("state.new"), "w");
  if (!file) fail("state");
  fprintf(file, "%s\n", line);
  fclose(file);
  snprintf(old, sizeof old, "%s", place("state.new"));
  rename(old, place("state"));
}

static void keep(int out) {
  static char bytes[65536];
  static long written = -1;
  static int log = -1;
  ssize_t count = read(out, bytes, sizeof bytes);
  if (count <= 0) return;
  if (log < 0 || written > log_bytes) {
    char old[200];
    if (log >= 0) close(log);
    snprintf(old, sizeof old, "%s", place("log"));
    if (written > log_bytes) rename(old, place("log.1"));
    log = open(place("log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    written = log < 0 ? 0 : lseek(log, 0, SEEK_END);
  }
  if (write(log, bytes, (size_t)count) > 0) written += count;
}

static pid_t start(char **arguments, int out) {
  pid_t process = fork();
  if (process != 0) return process;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  dup2(out, 1);
  dup2(out, 2);
  char microseconds[40];
  snprintf(microseconds, sizeof microseconds, "%d", watchdog_seconds * 1000000);
  setenv("NOTIFY_SOCKET", place("notify"), 1);
  setenv("WATCHDOG_USEC", microseconds, 1);
  execv(arguments[0], arguments);
  dprintf(2, "fcclip-edge: error: %s: %s\n", arguments[0], strerror(errno));
  _exit(127);
}

int main(int count, char **arguments) {
  if (count < 5) return 2;
  folder = arguments[1];
  int patience = atoi(arguments[2]), failures = atoi(arguments[3]), out[2], deaths = 0, was_ready = 0;
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", place("notify"));
  unlink(address.sun_path);
  int notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (notify < 0 || bind(notify, (struct sockaddr *)&address, sizeof address) < 0) fail("notify");
  if (pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0) fail("pipe");
  // The program's end of the pipe blocks: nothing that it prints gets lost.
  fcntl(out[1], F_SETFL, 0);

  double first = now(), begun = 0, fed = 0, killed = 0, again = 0;
  unsigned long feedings = 0;
  pid_t process = 0;
  int is_ready = 0;
  while (1) {
    if (!process && !ending && now() >= again) {
      tell("starting");
      is_ready = 0;
      feedings = 0;
      killed = 0;
      begun = fed = now();
      process = start(arguments + 4, out[1]);
      if (process < 0) { process = 0; again = now() + restart_seconds; }
    }
    struct pollfd waited[] = {{.fd = notify, .events = POLLIN}, {.fd = out[0], .events = POLLIN}};
    poll(waited, 2, 200);
    if (waited[1].revents) keep(out[0]);
    char message[4096];
    ssize_t length;
    while ((length = recv(notify, message, sizeof message - 1, MSG_DONTWAIT)) > 0) {
      message[length] = 0;
      int says_ready = strstr(message, "READY=1") != NULL;
      if (!process || (!says_ready && !strstr(message, "WATCHDOG=1"))) continue;
      if (says_ready) is_ready = was_ready = 1;
      else feedings++;
      fed = now();
      if (is_ready) {
        snprintf(message, sizeof message, "ready %d %lu", (int)process, feedings);
        tell(message);
      }
    }
    int status;
    if (process && waitpid(process, &status, WNOHANG) == process) {
      while (poll(&waited[1], 1, 0) > 0 && waited[1].revents & POLLIN) keep(out[0]);
      process = 0;
      again = now() + restart_seconds;
      if (!ending) tell("failed");
      if (!was_ready && ++deaths >= failures && failures > 0) return 1;
    }
    // Until it is ready, another limit counts than the watchdog's.
    double silent = now() - fed;
    int is_late = is_ready ? silent > watchdog_seconds : patience > 0 && now() - begun > patience;
    if (process && (ending || is_late)) {
      if (!killed) {
        killed = now();
        kill(process, ending ? SIGTERM : SIGABRT);
      } else if (now() - killed > stop_seconds) {
        kill(process, SIGKILL);
      }
    }
    if (ending && !process) {
      tell("stopped");
      return 0;
    }
    if (!was_ready && !process && patience > 0 && now() - first > patience) return 1;
  }
}
