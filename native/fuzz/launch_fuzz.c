// Any bytes as a launch request or a plan: decoded within bounds or refused.
#include <stdlib.h>
#include <string.h>

#include "../ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void walk(const struct plan *plan, size_t size) {
  for (int phase = 0; phase < PHASES; phase++) {
    struct reader steps = plan->phases[phase].in;
    for (int i = 0; i < plan->phases[phase].count; i++) {
      const struct op *op = &op_table[read_u8(&steps)];
      read_u16(&steps);
      for (const char *kind = op->signature; *kind; kind++) {
        if (*kind == 'i') read_u64(&steps);
        else if (*kind == 's' && strlen(read_bytes(&steps).data) > size) abort();
        else if (*kind == 'b' && read_bytes(&steps).size > size) abort();
        else if (*kind == 'd' || *kind == 'o') read_u8(&steps);
      }
    }
    if (steps.bad || steps.at != steps.end) abort(); // decoding twice gives the same
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  uint8_t *data = malloc(size ? size : 1); // exact, so that the sanitizer sees each byte beyond
  if (!data) return 0;
  memcpy(data, bytes, size);
  struct shim_options options;
  struct plan plan;
  struct reader in = {data, data + size, false};
  if (read_launch(&in, &options, &plan)) {
    if (strlen(options.id.data) + strlen(options.dir.data) + strlen(options.log_path.data) > size) abort();
    walk(&plan, size);
  }
  in = (struct reader){data, data + size, false};
  if (read_plan(&in, &plan)) walk(&plan, size);
  free(data);
  return 0;
}
