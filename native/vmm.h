// The first process of a sandbox that holds a virtual machine: starts virtiofsd and QEMU, carries the
// streams of the guest's first process to its own, and ends as that one did.
#pragma once

#define VMM_NAME "berth-vmm"

// Arguments: QEMU's user id, the descriptor of a saved memory or "-", virtiofsd's command line, "--", QEMU's command line.
int vmm_main(char **argv);
