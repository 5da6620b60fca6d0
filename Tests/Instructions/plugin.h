#include <stddef.h>
#include <stdint.h>

// QEMU's plugin interface, version 1, as far as it is used here: distributions do not package its header.
struct qemu_plugin_tb;
struct qemu_plugin_insn;
extern void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*translated)(uint64_t id, struct qemu_plugin_tb *));
extern void qemu_plugin_register_atexit_cb(uint64_t id, void (*ended)(uint64_t id, void *), void *user);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t index);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
extern const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *sum, uint64_t value);
extern void qemu_plugin_outs(const char *);
enum { add_to_sum = 0 };

int qemu_plugin_version = 1;

// Of the plugin that includes this: called for each block that QEMU translates, and at the end.
static void translated(uint64_t id, struct qemu_plugin_tb *block);
static void ended(uint64_t id, void *user);

int qemu_plugin_install(uint64_t id, const void *info, int count, char **arguments) {
  (void)info, (void)count, (void)arguments;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, ended, NULL);
  return 0;
}
