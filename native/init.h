// The tiny init of `--init`: PID 1 of the container.
#pragma once

// Replaces this process by the sealed launcher running as init for the command. -1 and errno on failure.
int exec_builtin_init(char **argv, char **env);
// What that program does: starts argv, forwards signals, reaps, exits as the command did.
int init_main(char **argv, char **env);
// execve with a search of the environment's PATH, as Docker's runtimes do it.
int exec_search(char **argv, char **env);
