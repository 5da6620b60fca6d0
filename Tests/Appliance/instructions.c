// A plugin for qemu-system-aarch64 that counts the instructions of the emulated machine; the sum goes to the log at its end.
#include <inttypes.h>
#include <stdio.h>

#include "../Instructions/plugin.h"

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
