// PID 1 of a virtual machine: what a guest needs before the daemon can have plans carried out in it.
#pragma once
#include <stdbool.h>
#include <stdnoreturn.h>

#define GUEST_NAME "/init"
#define GUEST_SHIMS "/run/shims" // the directories of the shims in the guest

// Boots the guest and serves its ports until the machine ends.
noreturn void guest_main(char **argv, char **env);

// Mounts what drivers show themselves in and loads them.
void boot_drivers(char **argv, char **env);
// Leaves the initial ram disk for a root with what a launcher needs.
void boot_root(void);
// Where the initial ram disk has a plan for a system of its own, becomes that in the first process, and returns
// true in a new one beside it.
bool system_beside(void);
// In that one: waits until the system's init runs.
void system_await_init(void);
// Set where the machine has one.
extern bool system_is_own;
// Opens a virtio-serial port by its name; waits until the device is there. Ends the machine without it.
int boot_port(const char *name);
// Says why on the console and ends the machine.
noreturn void boot_failed(const char *what);
