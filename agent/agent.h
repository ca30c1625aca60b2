/* The agent as a whole: configuration, parts, signals and the loop. */
#ifndef HAUL_AGENT_AGENT_H
#define HAUL_AGENT_AGENT_H

#include "agent/inputs.h"
#include "agent/options.h"

/* A configuration, made ready. */
struct agent_setup {
	struct conf *conf;
	const struct agent_options *agent;
	const struct collector_options *collector;
	struct inputs inputs;
	char *host; /* valid name */
};

/* Reads and checks everything that a configuration can get wrong. Errors with `err`: -EINVAL and
 * -errno. */
int agent_setup_read(const char *file, struct agent_setup *ret, struct conf_error *err) MUST_CHECK;
void agent_setup_free(struct agent_setup *s);

/* Runs until SIGTERM or SIGINT; `file` NULL: the default one. Returns the program's exit code. */
int agent_run(const char *file);

#endif
