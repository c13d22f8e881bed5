// Many connections over one port: the daemon's to the launcher and to the shims of a guest.
#pragma once
#include <poll.h>
#include <stddef.h>

enum { MUX_STREAMS = 128 };

void mux_begin(int port, const char *token);
// Adds what to poll for; returns how many were added, at most MUX_STREAMS + 1.
size_t mux_poll(struct pollfd *fds);
void mux_handle(const struct pollfd *fds, size_t n);
// Whether the daemon is connected as far as is known; a port without a host reports POLLHUP without end.
void mux_host_may_be_back(void);
