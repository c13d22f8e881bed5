// A shim: one container's or exec's process, its streams, its log and its end.
#pragma once
#include <stdbool.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#include "ops.h"

// Runs the launch and then watches over the process until it and its output have ended. `channel` is the
// daemon's socket; `id` names the request in every answer.
noreturn void shim_main(int channel, uint32_t id, const struct shim_options *options, const struct plan *plan,
                        bool timed);

// For operations of the child phase:
int shim_own_descriptors(void);            // leaves the descriptor table that it shares with the shim
void shim_hand_over(pid_t pid, int pidfd); // the process that goes on is another one
int shim_await_parent(bool handed_over);   // waits until the shim has run the parent phase
