// bpf(2): programs and maps, whose instructions and entries the daemon writes.
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ops.h"
#include "paths.h"

static long bpf(int command, union bpf_attr *attr) { return syscall(SYS_bpf, command, attr, sizeof *attr); }

static uint64_t address(const void *data) { return (uint64_t)(uintptr_t)data; }

// The kernel answers EINVAL for a name that is no proper one; one that is too long is cut.
static void set_name(char *name, struct bytes from) { snprintf(name, BPF_OBJ_NAME_LEN, "%s", from.data); }

long op_bpf_cgroup(struct run *run, const union arg *a) {
  union bpf_attr load = {
      .prog_type = (uint32_t)a[2].i,
      .insns = address(a[1].s.data),
      .insn_cnt = a[1].s.size / (uint32_t)sizeof(struct bpf_insn),
      .license = address("MIT"),
      .expected_attach_type = (uint32_t)a[3].i,
  };
  int program = (int)bpf(BPF_PROG_LOAD, &load);
  if (program < 0) return -1;
  union bpf_attr attach = {
      .target_fd = (uint32_t)a[0].fd,
      .attach_bpf_fd = (uint32_t)program,
      .attach_type = (uint32_t)a[3].i,
      .attach_flags = BPF_F_ALLOW_MULTI,
  };
  return close_keep(bpf(BPF_PROG_ATTACH, &attach), program);
}

long op_bpf_map_create(struct run *run, const union arg *a) {
  union bpf_attr attr = {
      .map_type = (uint32_t)a[2].i,
      .key_size = (uint32_t)a[3].i,
      .value_size = (uint32_t)a[4].i,
      .max_entries = (uint32_t)a[5].i,
      .map_flags = (uint32_t)a[6].i,
  };
  set_name(attr.map_name, a[1].s);
  return bpf(BPF_MAP_CREATE, &attr);
}

long op_bpf_sk_storage(struct run *run, const union arg *a) {
  union bpf_attr load = {.btf = address(a[3].s.data), .btf_size = a[3].s.size};
  int types = (int)bpf(BPF_BTF_LOAD, &load);
  if (types < 0) return -1;
  union bpf_attr attr = {
      .map_type = BPF_MAP_TYPE_SK_STORAGE,
      .key_size = sizeof(int),
      .value_size = (uint32_t)a[2].i,
      .map_flags = BPF_F_NO_PREALLOC,
      .btf_fd = (uint32_t)types,
      .btf_key_type_id = 1,
      .btf_value_type_id = 2,
  };
  set_name(attr.map_name, a[1].s);
  return close_keep(bpf(BPF_MAP_CREATE, &attr), types);
}

long op_bpf_prog_load(struct run *run, const union arg *a) {
  int maps[] = {a[5].fd, a[6].fd};
  union bpf_attr attr = {
      .prog_type = (uint32_t)a[2].i,
      .expected_attach_type = (uint32_t)a[3].i,
      .insns = address(a[4].s.data),
      .insn_cnt = a[4].s.size / (uint32_t)sizeof(struct bpf_insn),
      .license = address("MIT"),
      .fd_array = address(maps),
  };
  set_name(attr.prog_name, a[1].s);
  return bpf(BPF_PROG_LOAD, &attr);
}

long op_bpf_link_create(struct run *run, const union arg *a) {
  union bpf_attr attr = {
      .link_create = {
          .prog_fd = (uint32_t)a[1].fd, .target_fd = (uint32_t)a[2].fd, .attach_type = (uint32_t)a[3].i,
      },
  };
  return bpf(BPF_LINK_CREATE, &attr);
}

long op_bpf_get_fd_by_id(struct run *run, const union arg *a) {
  union bpf_attr attr = {.prog_id = (uint32_t)a[2].i};
  if (a[1].i != BPF_PROG_GET_FD_BY_ID && a[1].i != BPF_MAP_GET_FD_BY_ID) return errno = EINVAL, -1;
  return bpf((int)a[1].i, &attr);
}

long op_bpf_obj_id(struct run *run, const union arg *a) {
  // Of programs and of maps alike: the type, then the id.
  uint32_t info[2] = {0};
  union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)a[0].fd, .info_len = sizeof info, .info = address(info)}};
  if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0) return -1;
  run_output(run, &info[1], sizeof info[1]);
  return 0;
}

long op_bpf_map_update(struct run *run, const union arg *a) {
  union bpf_attr attr = {
      .map_fd = (uint32_t)a[0].fd,
      .key = address(a[1].s.data),
      .value = address(a[2].s.data),
  };
  return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

long op_bpf_map_delete(struct run *run, const union arg *a) {
  union bpf_attr attr = {.map_fd = (uint32_t)a[0].fd, .key = address(a[1].s.data)};
  return bpf(BPF_MAP_DELETE_ELEM, &attr);
}

long op_netns_cookie(struct run *run, const union arg *a) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  int any = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (any < 0) return -1;
  if (close_keep(getsockopt(any, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size), any) < 0) return -1;
  run_output(run, &cookie, sizeof cookie);
  return 0;
}
