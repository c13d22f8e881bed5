// Runs a fuzz target for a number of seconds on mutations of seed files, where there is no libFuzzer.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { MOST = 16384, KEPT = 16 };

static uint64_t state;
static uint32_t next(uint32_t below) {
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  return (uint32_t)(state >> 20) % below;
}

static size_t load(const char *path, uint8_t *to) {
  FILE *file = fopen(path, "rb");
  size_t n = file ? fread(to, 1, MOST, file) : 0;
  if (file) fclose(file);
  return n;
}

static size_t mutate(uint8_t *data, size_t size) {
  static const uint8_t telling[] = {0, 1, 2, 3, 5, 127, 128, 199, 200, 254, 255};
  for (uint32_t n = 1 + next(8); n > 0; n--) {
    uint32_t at = next((uint32_t)size + 1);
    if (at == size || next(4) == 0) {
      if (size >= MOST) continue;
      memmove(data + at + 1, data + at, size - at);
      data[at] = telling[next(sizeof telling)];
      size++;
    } else if (next(8) == 0) {
      size = at;
    } else {
      data[at] = next(2) ? (uint8_t)next(256) : telling[next(sizeof telling)];
    }
  }
  return size;
}

int main(int argc, char **argv) {
  static uint8_t seeds[KEPT][MOST], data[MOST + 1];
  static size_t sizes[KEPT];
  long seconds = argc > 1 ? atol(argv[1]) : 5;
  uint32_t count = 1;
  for (int i = 2; i < argc && count < KEPT; i++, count++) sizes[count] = load(argv[i], seeds[count]);
  state = (uint64_t)time(NULL) * 2654435761u + 1;
  printf("seed %llu\n", (unsigned long long)state);
  fflush(stdout);
  unsigned long runs = 0;
  for (time_t end = time(NULL) + seconds; time(NULL) < end; runs++) {
    uint32_t from = next(count);
    memcpy(data, seeds[from], sizes[from]);
    LLVMFuzzerTestOneInput(data, mutate(data, sizes[from]));
  }
  printf("%lu runs\n", runs);
  return 0;
}
