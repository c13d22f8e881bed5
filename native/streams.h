// The standard streams of a shim's process: pipes, or the master side of a terminal.
#pragma once
#include "wire.h"

int streams_make(const struct shim_options *options);
int streams_enter(int terminal);         // in the child: wires 0, 1 and 2 (to the terminal, or -1: to the pipes)
void streams_leave_child(int master);    // in the shim: closes the child's ends; keeps the terminal's master
void streams_leave_to_end(void);         // in the shim, when the process has ended: what others still write is the last

int streams_fd(int stream);              // where stream 1 or 2 is read from; -1 when it has ended
size_t streams_read(int stream);         // passes what is there to the log and to clients; how much it was
int streams_input_fd(void);              // where the process's input is written to; -1 when closed
// Writes from `taken` on until all is taken or there is no room; `error` tells why it cannot go on.
void streams_input(const uint8_t *data, size_t size, size_t *taken, int *error);
void streams_close_input(void);
int streams_resize(unsigned rows, unsigned columns); // 0 or an errno
