/* haul-agent join: enrols this host at a collector. */
#ifndef HAUL_AGENT_JOIN_H
#define HAUL_AGENT_JOIN_H

/* `file` NULL: the default configuration. `text`: the join string, or "-" for a line of stdin. Says
 * what happened, and returns the exit code. */
int join_run(const char *file, const char *text);

#endif
