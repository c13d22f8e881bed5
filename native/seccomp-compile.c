// Compiles seccomp rules to a filter program. Reads lines from standard input:
//
//   default ACTION
//   arch NAME                        as seccomp_arch_resolve_name(3) knows it, besides the native one
//   rule ACTION SYSCALL NUMBER [INDEX OP A B]...
//
// ACTION is a libseccomp action number, OP an enum scmp_compare number. NUMBER is the call's number on
// the native architecture for names this libseccomp does not know yet, or -1. Unknown calls are skipped.
// Writes the struct sock_filter array to standard output.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_ARCHES 8
#define X32_BIT 0x40000000u

static uint32_t arches[MAX_ARCHES];
static int largest[MAX_ARCHES];
static int arch_count;
static uint32_t default_action = SCMP_ACT_KILL_PROCESS;
// The native architecture, and all others: only native rules may name a call by a mere number.
static scmp_filter_ctx native, others;

static void fail(const char *what, int error) {
  fprintf(stderr, "%s: %s\n", what, strerror(error < 0 ? -error : error));
  exit(1);
}

static void add_arch(uint32_t token) {
  for (int i = 0; i < arch_count; i++)
    if (arches[i] == token)
      return;
  if (arch_count == MAX_ARCHES)
    fail("too many architectures", E2BIG);
  largest[arch_count] = -1;
  arches[arch_count++] = token;
}

static void start_filters(void) {
  native = seccomp_init(default_action);
  if (!native)
    fail("seccomp_init", ENOMEM);
  if (arch_count < 2)
    return;
  others = seccomp_init(default_action);
  if (!others)
    fail("seccomp_init", ENOMEM);
  for (int i = 1; i < arch_count; i++) {
    int rc = seccomp_arch_add(others, arches[i]);
    if (rc)
      fail("seccomp_arch_add", rc);
  }
  int rc = seccomp_arch_remove(others, arches[0]);
  if (rc)
    fail("seccomp_arch_remove", rc);
}

static void add_rule(char *line) {
  char *save, *field = strtok_r(line, " ", &save);
  uint32_t action = (uint32_t)strtoul(field, NULL, 10);
  char *name = strtok_r(NULL, " ", &save);
  char *given = strtok_r(NULL, " ", &save);
  if (!name || !given)
    fail("rule without a call", EINVAL);
  struct scmp_arg_cmp conditions[6];
  unsigned count = 0;
  while ((field = strtok_r(NULL, " ", &save))) {
    char *op = strtok_r(NULL, " ", &save), *a = strtok_r(NULL, " ", &save), *b = strtok_r(NULL, " ", &save);
    if (!op || !a || !b || count == 6)
      fail("condition", EINVAL);
    conditions[count++] = (struct scmp_arg_cmp){
      .arg = (unsigned)strtoul(field, NULL, 10),
      .op = (enum scmp_compare)strtoul(op, NULL, 10),
      .datum_a = strtoull(a, NULL, 10),
      .datum_b = strtoull(b, NULL, 10),
    };
  }
  int known = seccomp_syscall_resolve_name(name);
  int number = known == __NR_SCMP_ERROR ? atoi(given) : known;
  if (known == __NR_SCMP_ERROR && number < 0)
    return;
  if (number > largest[0])
    largest[0] = number;
  for (int i = 1; i < arch_count; i++) {
    int here = seccomp_syscall_resolve_name_arch(arches[i], name);
    if (here > largest[i])
      largest[i] = here;
  }
  if (action == default_action)
    return;
  int rc = seccomp_rule_add_array(native, action, number, count, conditions);
  if (rc && rc != -EEXIST)
    fail(name, rc);
  if (!others || known == __NR_SCMP_ERROR)
    return;
  rc = seccomp_rule_add_array(others, action, known, count, conditions);
  if (rc && rc != -EEXIST)
    fail(name, rc);
}

static void put(struct sock_filter instruction) {
  if (fwrite(&instruction, sizeof instruction, 1, stdout) != 1)
    fail("write", errno);
}

// A call newer than everything the profile knows fails with ENOSYS, as on an old kernel, so that
// libraries fall back to what they did before; a refusal with EPERM would stop them.
static void put_newer_calls(void) {
  const unsigned block = 6;
  int blocks = 0;
  for (int i = 0; i < arch_count; i++)
    blocks += arches[i] != SCMP_ARCH_X32;
  for (int i = 0; i < arch_count; i++) {
    if (arches[i] == SCMP_ARCH_X32)
      continue;
    unsigned after = (unsigned)--blocks * block;
    put((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    put((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arches[i], 0, block - 2));
    put((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    // x32 has x86_64's architecture and this bit; its calls are left to the filter.
    put((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, (uint8_t)(after + 2), 0));
    put((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)largest[i], 0, (uint8_t)(after + 1)));
    put((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
  }
}

static int refuses(uint32_t action) {
  return action == SCMP_ACT_KILL_PROCESS || action == SCMP_ACT_KILL_THREAD || action == SCMP_ACT_TRAP ||
         (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
}

int main(void) {
  char *line = NULL;
  size_t size = 0;
  add_arch(seccomp_arch_native());
  while (getline(&line, &size, stdin) > 0) {
    line[strcspn(line, "\n")] = 0;
    if (!strncmp(line, "default ", 8))
      default_action = (uint32_t)strtoul(line + 8, NULL, 10);
    else if (!strncmp(line, "arch ", 5)) {
      uint32_t token = seccomp_arch_resolve_name(line + 5);
      if (!token)
        fail(line + 5, EINVAL);
      add_arch(token);
    } else if (!strncmp(line, "rule ", 5)) {
      if (!native)
        start_filters();
      add_rule(line + 5);
    } else
      fail(line, EINVAL);
  }
  free(line);
  if (!native)
    start_filters();
  int rc = others ? seccomp_merge(native, others) : 0;
  if (!rc)
    rc = seccomp_attr_set(native, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (rc)
    fail("seccomp_merge", rc);
  int filter = memfd_create("filter", MFD_CLOEXEC);
  if (filter < 0)
    fail("memfd_create", errno);
  rc = seccomp_export_bpf(native, filter);
  if (rc)
    fail("seccomp_export_bpf", rc);
  if (refuses(default_action))
    put_newer_calls();
  struct sock_filter instruction;
  if (lseek(filter, 0, SEEK_SET) < 0)
    fail("lseek", errno);
  while (read(filter, &instruction, sizeof instruction) == sizeof instruction)
    put(instruction);
  if (fflush(stdout))
    fail("write", errno);
  return 0;
}
