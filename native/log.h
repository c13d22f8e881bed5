// The container's log file: Docker's json-file lines, or Berth's compact binary records ("local").
#pragma once
#include <stddef.h>

#include "wire.h"

enum { LINE_MAX_BYTES = 16 << 10 };

// Opens the file for appending. -1 and errno on failure.
int log_open(const struct shim_options *options);
// Takes what the process wrote to stream 1 or 2: whole lines are written, the rest waits for its end.
void log_write(int stream, const char *data, size_t size);
// Writes what is left of the stream, without a line end.
void log_end(int stream);
