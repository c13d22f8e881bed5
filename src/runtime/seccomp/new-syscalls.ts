/**
 * Numbers of system calls that the libseccomp of stable distributions has no name for. Since Linux 5.1
 * new calls have one number on all architectures; uretprobe is x86_64's own.
 */
export const newSyscalls: Readonly<Record<string, number>> = {
  cachestat: 451,
  fchmodat2: 452,
  map_shadow_stack: 453,
  futex_wake: 454,
  futex_wait: 455,
  futex_requeue: 456,
  statmount: 457,
  listmount: 458,
  lsm_get_self_attr: 459,
  lsm_set_self_attr: 460,
  lsm_list_modules: 461,
  mseal: 462,
  setxattrat: 463,
  getxattrat: 464,
  listxattrat: 465,
  removexattrat: 466,
  open_tree_attr: 467,
  file_getattr: 468,
  file_setattr: 469,
  ...(process.arch === "x64" ? { uretprobe: 335 } : {}),
};
