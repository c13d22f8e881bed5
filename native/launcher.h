// Reads requests on descriptor 3, forks for each.
#pragma once
#include <stdbool.h>

enum { CHANNEL = 3 };

// Serves until the other side closes the channel. `times` has each step's duration printed. Runs the program
// again when it is not the sealed copy of itself yet.
int launcher_main(char **argv, char **env, bool times);
