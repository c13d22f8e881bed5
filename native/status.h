// How a shim tells the daemon what happened: frames on the inherited channel, which never block, and
// files in the shim's directory for a daemon that comes back.
#pragma once
#include "ops.h"

void status_begin(int channel, uint32_t id);
void status_send(enum answer_kind kind, const uint8_t *payload, size_t size);
void status_failed(const struct failure *failure, const char *text);
bool status_pending(void); // frames that the channel had no room for
int status_channel(void);
void status_retry(void);
// Writes a file of the directory completely or not at all.
int status_write(int dir, const char *name, const char *text);
// The process's start time: field 22 of /proc/PID/stat; 0 when it is gone.
uint64_t start_time(pid_t pid);
