// The decoder takes well-formed plans and refuses everything else.
#include <stdlib.h>
#include <string.h>

#include "../ops.h"
#include "../wire.h"
#include "check.h"

static uint8_t data[4096];
static size_t size;

static void u8(unsigned v) { data[size++] = (uint8_t)v; }
static void u16(unsigned v) { u8(v & 255), u8(v >> 8); }
static void u32(uint32_t v) { size = (size_t)(put_u32(data + size, v) - data); }
static void u64(uint64_t v) { size = (size_t)(put_u64(data + size, v) - data); }
static void text(const char *s) {
  u32((uint32_t)strlen(s));
  memcpy(data + size, s, strlen(s) + 1);
  size += strlen(s) + 1;
}

static unsigned number_of(const char *name) {
  for (unsigned i = 0; i < op_count; i++)
    if (strcmp(op_table[i].name, name) == 0) return i;
  abort();
}

static struct reader all(void) { return (struct reader){data, data + size, false}; }

static bool decodes(void) {
  struct plan plan;
  struct reader in = all();
  return read_plan(&in, &plan);
}

// One host step: mkdirat(AT_FDCWD, "/x", 0755).
static void make_plan(void) {
  size = 0;
  u16(1);
  u8(number_of("mkdirat")), u16(17), u8(SLOT_NONE), text("/x"), u64(0755);
  u16(0);
  u16(0);
}

static void test_plan(void) {
  make_plan();
  CHECK(decodes());
  struct plan plan;
  struct reader in = all();
  read_plan(&in, &plan);
  CHECK(plan.phases[PHASE_HOST].count == 1 && plan.phases[PHASE_CHILD].count == 0);
  // Every cut and every byte more is refused.
  const size_t whole = size;
  for (size = 0; size < whole; size++) CHECK(!decodes());
  size = whole;
  u8(0);
  CHECK(!decodes());
}

static void test_refused(void) {
  make_plan();
  data[2] = (uint8_t)op_count;
  CHECK(!decodes()); // no such operation
  make_plan();
  data[5] = SLOTS;
  CHECK(!decodes()); // no such slot
  make_plan();
  data[10] = 0;
  CHECK(!decodes()); // a zero byte inside a string
  make_plan();
  data[12] = 'y';
  CHECK(!decodes()); // no zero byte after the string
  make_plan();
  memset(data + 6, 0xff, 4);
  CHECK(!decodes()); // a length beyond the end
  make_plan();
  data[0] = data[1] = 0xff;
  CHECK(!decodes()); // more steps than allowed
}

static void test_launch(void) {
  size = 0;
  text("id"), text("/dir"), u8(SHIM_TTY), u8(1), u16(60), u8(LOG_JSON), text("/log"), u64(1), u16(2), text("");
  u32(0), u32(0), u64(0), u8(SLOT_NONE), u8(SLOT_NONE), u8(SLOT_NONE), u8(SLOT_NONE);
  u16(0), u16(0), u16(0);
  struct shim_options options;
  struct plan plan;
  struct reader in = all();
  CHECK(read_launch(&in, &options, &plan));
  CHECK(strcmp(options.dir.data, "/dir") == 0 && options.stall_seconds == 60 && options.log_files == 2);
  const size_t whole = size;
  for (size = 0; size < whole; size++) {
    in = all();
    CHECK(!read_launch(&in, &options, &plan));
  }
}

int main(void) {
  test_plan();
  test_refused();
  test_launch();
  return failures != 0;
}
