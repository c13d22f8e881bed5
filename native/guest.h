// PID 1 of a virtual machine: what a guest needs before the daemon can have plans carried out in it.
#pragma once
#include <stdnoreturn.h>

#define GUEST_NAME "/init"
#define GUEST_SHIMS "/run/shims" // the directories of the shims in the guest

// Boots the guest and serves its ports until the machine ends.
noreturn void guest_main(char **argv, char **env);

// Loads modules, mounts what every guest has, leaves the initial ram disk.
void boot_guest(char **argv, char **env);
// Opens a virtio-serial port by its name; waits until the device is there. Ends the machine without it.
int boot_port(const char *name);
// Says why on the console and ends the machine.
noreturn void boot_failed(const char *what);
