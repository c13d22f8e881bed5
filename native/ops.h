// The operations of a launch plan: each is one system call named as in its man page, or the smallest
// composite that has to stay together. The daemon has the same table; `berth-launcher --ops` prints this one.
#pragma once
#include <sys/types.h>

#include "wire.h"

// Arguments: i = integer, s = string, b = bytes, d = slot of an open descriptor, o = slot for the result.
union arg {
  int64_t i;
  struct bytes s;
  int fd;
};

// What the steps of one request work on. `slots` is memory shared with the child.
struct run {
  struct plan plan;
  int *slots;
  pid_t pid; // of the child; 0 in the child itself and before it exists
  uint8_t *out; // what the operations answer with
  uint32_t out_size;
  bool timed;
};

struct failure {
  int phase, step, error;
};

struct op {
  const char *name, *signature;
  long (*call)(struct run *run, const union arg *a);
};

extern const struct op op_table[];
extern const unsigned op_count;

// Runs the steps of a phase until one fails. 0, or -1 with `failure` filled.
int run_phase(struct run *run, enum phase phase, struct failure *failure);
// With --time: when something was reached.
void run_mark(const struct run *run, const char *what);
void run_output(struct run *run, const void *data, uint32_t size);

#define OP_LIST(X)                                                                                   \
  /* files.c */                                                                                      \
  X(openat, "odsii")         /* slot, directory, path, flags, mode */                                \
  X(openat2, "odsiii")       /* slot, directory, path, flags, mode, resolve */                       \
  X(close, "d")                                                                                      \
  X(write, "db")                                                                                     \
  X(write_file, "dsb")       /* openat + write + close of an existing file */                        \
  X(read_file, "dsi")        /* directory, path, most bytes: answered to the caller */               \
  X(mkdirat, "dsi")                                                                                  \
  X(mknodat, "dsii")                                                                                 \
  X(symlinkat, "sds")                                                                                \
  X(fchownat, "dsiii")                                                                               \
  X(fchmodat, "dsi")                                                                                 \
  X(unlinkat, "dsi")                                                                                 \
  X(eventfd_oom, "od")       /* an eventfd told of OOMs in a v1 memory cgroup directory */           \
  X(make_target, "odsii")    /* slot, root, path, directory?, mode: a mount target inside root */    \
  X(write_sysctl, "dsb")     /* root, path below /proc/sys, value; on a true procfs only */          \
  /* mounts.c */                                                                                     \
  X(open_tree, "odsi")                                                                               \
  X(move_mount, "dsdsi")                                                                             \
  X(mount_setattr, "dsiiiid") /* directory, path, flags, set, clear, propagation, user namespace */  \
  X(fsopen, "osi")                                                                                   \
  X(fsconfig, "dissi")       /* slot, command, key, value, aux */                                    \
  X(fsmount, "odii")                                                                                 \
  X(mount, "sssis")                                                                                  \
  X(umount2, "si")                                                                                   \
  X(pivot_root, "ss")                                                                                \
  X(fchdir, "d")                                                                                     \
  X(mask_path, "dsdd")       /* root, path, null device, empty directory; absent paths are passed */ \
  X(readonly_path, "ds")     /* root, path: bound over itself, read-only; absent paths are passed */ \
  X(bind_tree, "odsid")      /* slot, directory, path, open_tree flags, user namespace to map by     \
                                or none; a file system that cannot map ids is bound as it is */      \
  /* process.c */                                                                                    \
  X(pidfd_open, "oii")       /* slot, PID, start time (0: any): the process that has both */         \
  X(setns, "di")                                                                                     \
  X(unshare, "i")                                                                                    \
  X(clone_parent, "i")       /* clone3(flags | CLONE_PARENT): the new process goes on */             \
  X(await_parent, "i")       /* the parent phase runs now; 1: for the process of a clone_parent before */ \
  X(setresgid, "iii")                                                                                \
  X(setresuid, "iii")                                                                                \
  X(setgroups, "b")          /* u32 each */                                                          \
  X(sethostname, "s")                                                                                \
  X(setdomainname, "s")                                                                              \
  X(prlimit, "iii")          /* resource, soft, hard; of the child when it is the parent's step */   \
  X(prctl, "iiiii")                                                                                  \
  X(capset, "iii")           /* effective, permitted, inheritable */                                 \
  X(capbset_drop, "i")       /* PR_CAPBSET_DROP of every capability not in the set */                \
  X(cap_ambient_raise, "i")  /* PR_CAP_AMBIENT_RAISE of every capability in the set */               \
  X(seccomp, "ib")           /* flags, filter */                                                     \
  X(keyctl_join, "s")        /* a new session keyring */                                             \
  X(chroot, "s")                                                                                     \
  X(umask, "i")                                                                                      \
  X(chdir, "s")              /* and check that the directory is inside the root */                   \
  X(open_terminal, "odiiii") /* slot, master, uid, gid, rows, columns: TIOCGPTPEER */                \
  X(stdio, "d")              /* leaves the shared descriptor table, wires 0, 1, 2 (to a terminal) */ \
  X(execve, "bb")            /* arguments, environment; searches PATH */                             \
  X(exec_init, "bb")         /* the built-in init, which runs the arguments */                       \
  X(keep, "b")               /* slots, u8 each: become descriptors 3, 4… of the program that exec runs */  \
  X(exec_vmm, "b")           /* the built-in supervisor of a virtual machine, with arguments */        \
  X(clock_settime, "ii")     /* seconds and nanoseconds since 1970 */                                \
  /* vm.c */                                                                                         \
  X(tap, "os")               /* a new tap link of the host: the descriptor that carries its packets */ \
  X(await_path, "si")        /* until it is there, for so many milliseconds at most */               \
  X(add_entropy, "b")        /* random bytes that count as such, and used from now on */             \
  X(unix_listener, "os")     /* a socket in the shim's directory, for its owner alone */             \
  X(list_processes, "s")     /* those in a v2 cgroup and below it: answered to the caller */            \
  /* netlink.c */                                                                                    \
  X(netlink, "idib")         /* protocol, descriptor written at offset, messages: answers are checked */ \
  /* bpf.c: bpf(2) by its commands */                                                                \
  X(bpf_cgroup, "dbii")      /* loads a program of a type, attaches it to a v2 cgroup directory */   \
  X(bpf_map_create, "osiiiii") /* slot, name, type, sizes of keys and values, most entries, flags */ \
  X(bpf_sk_storage, "osib")  /* slot, name, size of a value, BTF: a map for sockets; key is type 1 of it, value 2 */ \
  X(bpf_prog_load, "osiibdd") /* slot, name, type, attach type, instructions, maps they know as number 0 and 1 */ \
  X(bpf_link_create, "oddi") /* slot, program, what it is attached to, attach type */                \
  X(bpf_get_fd_by_id, "oii") /* slot, the command for a program or a map, id */                      \
  X(bpf_obj_id, "d")         /* a program's or map's id: answered to the caller */                   \
  X(bpf_map_update, "dbb")   /* map, key, value */                                                   \
  X(bpf_map_delete, "db")    /* map, key */                                                          \
  X(netns_cookie, "")        /* SO_NETNS_COOKIE of the launcher's network namespace: answered to the caller */

#define X(name, signature) long op_##name(struct run *run, const union arg *a);
OP_LIST(X)
#undef X
