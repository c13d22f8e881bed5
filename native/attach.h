// Clients of a shim's socket. A frame is u32 length of the payload, u8 kind, payload.
#pragma once
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum attach_request { ATTACH = 1, INPUT, CLOSE_INPUT, RESIZE, SIGNAL, STATUS };
enum attach_answer { OUTPUT = 1, EXIT, OOM, ACK, RUNNING };
enum attach_flags { ATTACH_STDIN = 1, ATTACH_STDOUT = 2, ATTACH_STDERR = 4 };

enum {
  CLIENTS_MAX = 64,
  CLIENT_BUFFER = 1 << 20, // output a client may be behind before the process has to wait for it
  INPUT_MAX = 64 << 10,
};

void attach_begin(int listening, unsigned stall_seconds, bool stdin_once);
// Adds what to poll for; returns how many were added.
size_t attach_poll(struct pollfd *fds);
void attach_handle(const struct pollfd *fds, size_t n);
void attach_output(int stream, const char *data, size_t size);
void attach_event(enum attach_answer kind, const uint8_t *payload, size_t size);
void attach_finish(void);        // no more output: clients are closed once they have read all
void attach_input_ready(void);   // stdin has room again
bool attach_input_waits(void);   // some input waits for room
unsigned attach_count(void);     // attachments so far
bool attach_full(void);          // a client is a whole buffer behind
bool attach_idle(void);          // nothing left to send
void attach_drop_stalled(void);  // those that read nothing for the stall time
