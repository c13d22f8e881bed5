// The launcher runs from a sealed copy of itself in memory, so that nothing that ever entered a container
// gives a way to write to the program that the host runs (CVE-2019-5736).
#pragma once

#define INIT_NAME "/sbin/docker-init"

// Runs the program again from a sealed memfd; returns when it already is one. -1 and errno on failure.
int seal_self(char **argv, char **env);
// A close-on-exec descriptor of the sealed program.
int sealed_self(void);
// Has that descriptor at a number from `above` on. -1 and errno on failure.
int sealed_move(int above);
