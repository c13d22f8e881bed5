// The first process's streams: a port of the machine joined to the socket of the process's shim.
#pragma once
#include <poll.h>
#include <stddef.h>

void relay_begin(int port);
// Joins the port to the shim's socket. 0, or an errno. Nothing when it is joined already.
int relay_join(const char *path);
size_t relay_poll(struct pollfd *fds);
void relay_handle(const struct pollfd *fds);
