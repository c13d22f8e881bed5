#include "wire.h"

#include <string.h>

#include "ops.h"

static const uint8_t *take(struct reader *r, size_t n) {
  if (r->bad || (size_t)(r->end - r->at) < n) {
    r->bad = true;
    return NULL;
  }
  const uint8_t *p = r->at;
  r->at += n;
  return p;
}

static uint64_t read_int(struct reader *r, size_t n) {
  const uint8_t *p = take(r, n);
  uint64_t v = 0;
  for (size_t i = 0; p && i < n; i++) v |= (uint64_t)p[i] << (8 * i);
  return v;
}

uint8_t read_u8(struct reader *r) { return (uint8_t)read_int(r, 1); }
uint16_t read_u16(struct reader *r) { return (uint16_t)read_int(r, 2); }
uint32_t read_u32(struct reader *r) { return (uint32_t)read_int(r, 4); }
uint64_t read_u64(struct reader *r) { return read_int(r, 8); }

struct bytes read_bytes(struct reader *r) {
  uint32_t size = read_u32(r);
  const uint8_t *p = take(r, (size_t)size + 1);
  if (p && p[size] != 0) r->bad = true;
  if (r->bad) return (struct bytes){"", 0};
  return (struct bytes){(const char *)p, size};
}

struct bytes read_string(struct reader *r) {
  struct bytes b = read_bytes(r);
  if (memchr(b.data, 0, b.size)) r->bad = true;
  return r->bad ? (struct bytes){"", 0} : b;
}

static void check_step(struct reader *r) {
  uint8_t op = read_u8(r);
  read_u16(r); // the errno that is no failure
  if (r->bad || op >= op_count) {
    r->bad = true;
    return;
  }
  for (const char *kind = op_table[op].signature; *kind && !r->bad; kind++) {
    uint8_t slot;
    switch (*kind) {
      case 'i': read_u64(r); break;
      case 's': read_string(r); break;
      case 'b': read_bytes(r); break;
      case 'o': if (read_u8(r) >= SLOTS) r->bad = true; break;
      default: // 'd'
        slot = read_u8(r);
        if (slot >= SLOTS && slot != SLOT_NONE) r->bad = true;
    }
  }
}

bool read_plan(struct reader *r, struct plan *plan) {
  for (int phase = 0; phase < PHASES; phase++) {
    struct steps *steps = &plan->phases[phase];
    steps->count = read_u16(r);
    if (steps->count > STEPS_MAX) r->bad = true;
    steps->in = *r;
    for (int i = 0; i < steps->count && !r->bad; i++) check_step(r);
    steps->in.end = r->at;
  }
  return !r->bad && r->at == r->end;
}

static bool good_slot(uint8_t slot) { return slot < SLOTS || slot == SLOT_NONE; }

bool read_launch(struct reader *r, struct shim_options *o, struct plan *plan) {
  o->id = read_string(r);
  o->dir = read_string(r);
  o->flags = read_u8(r);
  o->wait_for_attach = read_u8(r);
  o->stall_seconds = read_u16(r);
  o->log_driver = read_u8(r);
  o->log_path = read_string(r);
  o->log_size = read_u64(r);
  o->log_files = read_u16(r);
  o->log_attrs = read_string(r);
  o->owner_uid = read_u32(r);
  o->owner_gid = read_u32(r);
  o->clone_flags = read_u64(r);
  o->cgroup_slot = read_u8(r);
  o->oom_slot = read_u8(r);
  o->console_slot = read_u8(r);
  o->hold_slot = read_u8(r);
  if (r->bad || o->id.size == 0 || o->dir.size == 0 || o->log_driver > LOG_LOCAL) return false;
  if (!good_slot(o->cgroup_slot) || !good_slot(o->oom_slot) || !good_slot(o->hold_slot)) return false;
  if (!good_slot(o->console_slot)) return false;
  return read_plan(r, plan);
}
