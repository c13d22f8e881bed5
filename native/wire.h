// The bytes that the daemon and the launcher exchange. Little-endian, lengths before contents.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  FRAME_HEADER = 9, // u32 length of the payload, u32 request id, u8 kind
  FRAME_MAX = 8 << 20,
  SLOTS = 200,      // descriptors a plan can name
  SLOT_NONE = 255,  // stands for AT_FDCWD
  ARGS_MAX = 8,
  STEPS_MAX = 4096,
};

enum request_kind { REQUEST_LAUNCH = 1, REQUEST_RUN, REQUEST_KEEP };
enum answer_kind { ANSWER_STARTED = 1, ANSWER_FAILED, ANSWER_EXITED, ANSWER_OOM, ANSWER_OK, ANSWER_GONE, ANSWER_HELD };
enum phase { PHASE_HOST, PHASE_PARENT, PHASE_CHILD, PHASES };
enum log_driver { LOG_NONE, LOG_JSON, LOG_LOCAL };
enum shim_flags {
  SHIM_TTY = 1,
  SHIM_STDIN = 2,
  SHIM_STDIN_ONCE = 4,
  SHIM_OOM_EVENTFD = 8,
  SHIM_OOM_EVENTS = 16,
  SHIM_LATE_PARENT = 32, // the parent phase runs when the child asks for it by await_parent
  SHIM_HELD = 64,        // the plan is the beginning of a launch: what follows comes through the socket
};

// A position in untrusted bytes. After the first read past the end `bad` stays set and reads give zeros.
struct reader {
  const uint8_t *at, *end;
  bool bad;
};

struct bytes {
  const char *data; // followed by a zero byte
  uint32_t size;
};

struct steps {
  struct reader in;
  uint16_t count;
};

struct plan {
  struct steps phases[PHASES];
};

// What a shim does beside the plan.
struct shim_options {
  struct bytes id, dir;
  uint8_t flags, wait_for_attach, log_driver;
  uint16_t stall_seconds, log_files;
  uint64_t log_size, clone_flags;
  struct bytes log_path, log_attrs;
  uint32_t owner_uid, owner_gid; // of the standard streams
  uint8_t cgroup_slot, oom_slot, console_slot, hold_slot;
};

uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
struct bytes read_bytes(struct reader *r);  // any bytes
struct bytes read_string(struct reader *r); // no zero byte inside
bool read_plan(struct reader *r, struct plan *plan);
bool read_launch(struct reader *r, struct shim_options *options, struct plan *plan);

static inline uint8_t *put_u32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++) *p++ = (uint8_t)(v >> (8 * i));
  return p;
}
static inline uint8_t *put_u64(uint8_t *p, uint64_t v) { return put_u32(put_u32(p, (uint32_t)v), (uint32_t)(v >> 32)); }
