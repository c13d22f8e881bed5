// The interpreter: decodes a step, calls its operation, notes the first failure.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ops.h"

#define X(name, signature) {#name, signature, op_##name},
const struct op op_table[] = {OP_LIST(X)};
#undef X
const unsigned op_count = sizeof op_table / sizeof *op_table;

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

void run_mark(const struct run *run, const char *what) {
  if (run->timed) fprintf(stderr, "%12.1f us: %s\n", (double)(now_ns() % 1000000000) / 1000, what);
}

void run_output(struct run *run, const void *data, uint32_t size) {
  uint8_t *grown = realloc(run->out, run->out_size + 4 + size);
  if (!grown) abort();
  run->out = grown;
  put_u32(grown + run->out_size, size);
  memcpy(grown + run->out_size + 4, data, size);
  run->out_size += 4 + size;
}

static long step(struct run *run, struct reader *in, uint16_t *tolerated) {
  const struct op *op = &op_table[read_u8(in)];
  *tolerated = read_u16(in);
  union arg a[ARGS_MAX];
  int out = -1, n = 0;
  bool empty = false;
  for (const char *kind = op->signature; *kind; kind++, n++) {
    if (*kind == 'i') a[n].i = (int64_t)read_u64(in);
    else if (*kind == 's' || *kind == 'b') a[n].s = read_bytes(in);
    else if (*kind == 'o') out = read_u8(in);
    else {
      uint8_t slot = read_u8(in);
      a[n].fd = slot == SLOT_NONE ? AT_FDCWD : run->slots[slot];
      if (slot != SLOT_NONE && a[n].fd < 0) empty = true;
    }
  }
  int64_t begin = run->timed ? now_ns() : 0;
  errno = EBADF;
  long rc = empty ? -1 : op->call(run, a);
  if (run->timed) {
    int saved = errno;
    fprintf(stderr, "%8.1f us %s\n", (double)(now_ns() - begin) / 1000, op->name);
    errno = saved;
  }
  if (out >= 0) run->slots[out] = rc < 0 ? -1 : (int)rc;
  return rc;
}

int run_phase(struct run *run, enum phase phase, struct failure *failure) {
  struct reader in = run->plan.phases[phase].in;
  for (int i = 0; i < run->plan.phases[phase].count; i++) {
    uint16_t tolerated;
    // An operation that goes on in another process reports its failures by the same record.
    *failure = (struct failure){phase, i, 0};
    if (step(run, &in, &tolerated) < 0 && errno != tolerated && tolerated != 0xffff) {
      failure->error = errno ? errno : EIO;
      return -1;
    }
  }
  return 0;
}
