/**
 * The operations of a launch plan and their arguments, in the launcher's order (`berth-launcher --ops`
 * prints the same table; a test compares them). Each is one system call named as in its man page, or the
 * smallest composite that has to stay together.
 *
 * i = integer, s = string, b = bytes, d = slot of an open descriptor (null: none, the working directory
 * where a directory is meant), o = slot that receives the result.
 */
export const operations = {
  openat: "odsii",
  openat2: "odsiii",
  close: "d",
  write: "db",
  write_file: "dsb",
  read_file: "dsi",
  mkdirat: "dsi",
  mknodat: "dsii",
  symlinkat: "sds",
  fchownat: "dsiii",
  fchmodat: "dsi",
  unlinkat: "dsi",
  eventfd_oom: "od",
  make_target: "odsii",
  write_sysctl: "dsb",
  open_tree: "odsi",
  move_mount: "dsdsi",
  mount_setattr: "dsiiiid",
  fsopen: "osi",
  fsconfig: "dissi",
  fsmount: "odii",
  mount: "sssis",
  umount2: "si",
  pivot_root: "ss",
  fchdir: "d",
  mask_path: "dsdd",
  readonly_path: "ds",
  bind_tree: "odsid",
  pidfd_open: "oii",
  setns: "di",
  unshare: "i",
  clone_parent: "i",
  await_parent: "i",
  setresgid: "iii",
  setresuid: "iii",
  setgroups: "b",
  sethostname: "s",
  setdomainname: "s",
  prlimit: "iii",
  prctl: "iiiii",
  capset: "iii",
  capbset_drop: "i",
  cap_ambient_raise: "i",
  seccomp: "ib",
  keyctl_join: "s",
  chroot: "s",
  umask: "i",
  chdir: "s",
  open_terminal: "odiiii",
  stdio: "d",
  execve: "bb",
  exec_init: "bb",
  keep: "b",
  exec_vmm: "b",
  clock_settime: "ii",
  tap: "os",
  await_path: "si",
  add_entropy: "b",
  unix_listener: "os",
  list_processes: "s",
  netlink: "idib",
  bpf_cgroup: "dbii",
  bpf_map_create: "osiiiii",
  bpf_sk_storage: "osib",
  bpf_prog_load: "osiibdd",
  bpf_link_create: "oddi",
  bpf_get_fd_by_id: "oii",
  bpf_obj_id: "d",
  bpf_map_update: "dbb",
  bpf_map_delete: "db",
  netns_cookie: "",
} as const;

export type OperationName = keyof typeof operations;

/** A numbered place for a descriptor, filled by one step and named by later ones. */
export interface Slot {
  readonly index: number;
  /** For people: what the descriptor is. */
  readonly name: string;
}

interface Letters {
  i: number | bigint;
  s: string;
  b: Uint8Array | string;
  d: Slot | null;
  o: Slot;
}

type Arguments<S extends string> = S extends `${infer First}${infer Rest}`
  ? First extends keyof Letters
    ? [Letters[First], ...Arguments<Rest>]
    : never
  : [];

/** The arguments of an operation, after its signature. */
export type OperationArguments<N extends OperationName> = Arguments<(typeof operations)[N]>;
export type Argument = Letters[keyof Letters];

/** Number and signature of each operation on the wire. */
export const operationNumbers: ReadonlyMap<OperationName, number> = new Map(
  (Object.keys(operations) as OperationName[]).map((name, number) => [name, number]),
);
