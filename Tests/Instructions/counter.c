// Counts the instructions of an aarch64 program under qemu-aarch64 (user mode, one thread) by function. Written to the log at its end,
// a line each: instructions, those among them that multiply int8 values, the function's name.
#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct function {
  char *name;
  uint64_t instructions, products;
  struct function *next;
};
static struct function *functions[4096];

static struct function *function(const char *name) {
  uint32_t hash = 5381;
  for (const char *byte = name; *byte; byte++) hash = hash * 33 + (uint8_t)*byte;
  struct function **place = &functions[hash % 4096];
  while (*place && strcmp((*place)->name, name)) place = &(*place)->next;
  if (!*place) {
    *place = calloc(1, sizeof **place);
    (*place)->name = strdup(name);
  }
  return *place;
}

/// SDOT by vector or lane, SMMLA, and int8's SMULL and SMLAL.
static int is_product(uint32_t code) {
  return (code & 0xBFE0FC00) == 0x0E809400 || (code & 0xBFC0F400) == 0x0F80E000 || (code & 0xFFE0FC00) == 0x4E80A400 ||
         (code & 0xBFE0FC00) == 0x0E20C000 || (code & 0xBFE0FC00) == 0x0E208000;
}

static void translated(uint64_t id, struct qemu_plugin_tb *block) {
  (void)id;
  size_t count = qemu_plugin_tb_n_insns(block);
  uint64_t products = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t code;
    memcpy(&code, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(block, i)), 4);
    products += is_product(code);
  }
  // Blocks end at jumps: the first instruction's function is that of all.
  const char *name = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(block, 0));
  struct function *owner = function(name && *name ? name : "?");
  qemu_plugin_register_vcpu_tb_exec_inline(block, add_to_sum, &owner->instructions, count);
  if (products) qemu_plugin_register_vcpu_tb_exec_inline(block, add_to_sum, &owner->products, products);
}

static void ended(uint64_t id, void *user) {
  (void)id, (void)user;
  for (size_t i = 0; i < 4096; i++) {
    for (struct function *f = functions[i]; f; f = f->next) {
      char line[4096];
      snprintf(line, sizeof line, "%llu %llu %s\n", (unsigned long long)f->instructions, (unsigned long long)f->products, f->name);
      qemu_plugin_outs(line);
    }
  }
}
