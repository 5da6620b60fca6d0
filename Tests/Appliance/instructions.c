// A plugin for qemu-system-aarch64 that counts the instructions of the emulated machine; the sum goes to the log at its end.
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

// QEMU's plugin interface, version 1, as far as it is used here: distributions do not package its header.
struct qemu_plugin_tb;
extern void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*translated)(uint64_t id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_atexit_cb(uint64_t id, void (*ended)(uint64_t id, void *), void *user);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *sum, uint64_t value);
extern void qemu_plugin_outs(const char *);
enum { add_to_sum = 0 };

int qemu_plugin_version = 1;
static uint64_t sum;

static void translated(uint64_t id, struct qemu_plugin_tb *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, add_to_sum, &sum, qemu_plugin_tb_n_insns(block));
}

static void ended(uint64_t id, void *user) {
  (void)id, (void)user;
  char line[40];
  snprintf(line, sizeof line, "%" PRIu64 "\n", sum);
  qemu_plugin_outs(line);
}

int qemu_plugin_install(uint64_t id, const void *info, int count, char **arguments) {
  (void)info, (void)count, (void)arguments;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, ended, NULL);
  return 0;
}
