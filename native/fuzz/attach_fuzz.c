// Any bytes from a client of the shim's socket: answered, or the client is dropped.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../attach.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int listener = -1;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t length = sizeof address;

static void turn(void) {
  struct pollfd fds[CLIENTS_MAX + 1];
  size_t n = attach_poll(fds);
  if (poll(fds, n, 0) > 0) attach_handle(fds, n);
  attach_input_ready();
}

static void begin(void) {
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  // Autobound: the kernel chooses an abstract name.
  if (bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)) < 0) abort();
  getsockname(listener, (struct sockaddr *)&address, &length);
  listen(listener, 8);
  attach_begin(listener, 1, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  if (listener < 0) begin();
  int client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (connect(client, (struct sockaddr *)&address, length) < 0) abort();
  turn();
  for (size_t at = 0; at < size;) {
    ssize_t n = send(client, bytes + at, size - at > 300 ? 300 : size - at, MSG_NOSIGNAL);
    if (n <= 0) break;
    at += (size_t)n;
    turn();
    attach_output(1, "output", 6);
    char sink[4096];
    while (recv(client, sink, sizeof sink, 0) > 0) continue;
  }
  close(client);
  turn();
  turn();
  return 0;
}
