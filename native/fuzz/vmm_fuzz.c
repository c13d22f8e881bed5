// Any bytes from a guest on the port of its streams: output, or the machine is ended.
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static jmp_buf ended;
static unsigned sum;

__attribute__((noreturn)) static void leave(int code) {
  (void)code;
  longjmp(ended, 1);
}

// Reads all that would be written, for the sanitizer.
static ssize_t read_over(int fd, const void *data, size_t size) {
  for (size_t i = 0; i < size; i++) sum += ((const unsigned char *)data)[i] + (unsigned)fd;
  return (ssize_t)size;
}

#define _exit leave
#define write read_over
#define vmm_main vmm_main_of_fuzzer
#include "../vmm.c"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  head_size = taken = 0;
  exit_code = -1;
  messages[0] = -1;
  if (setjmp(ended) == 0)
    for (size_t at = 0; at < size;) { // in pieces of all sizes
      size_t piece = 1 + bytes[at] % 64u;
      if (piece > size - at) piece = size - at;
      take(bytes + at, piece);
      at += piece;
    }
  alarm(0);
  return 0;
}
