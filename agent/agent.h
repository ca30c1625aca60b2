/* The agent as a whole: its parts, signals and the loop. */
#ifndef HAUL_AGENT_AGENT_H
#define HAUL_AGENT_AGENT_H

/* Runs until SIGTERM or SIGINT; `file` NULL: the default one. Returns the program's exit code. */
int agent_run(const char *file);

#endif
