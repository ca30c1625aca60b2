/* A configuration, made ready. */
#ifndef HAUL_AGENT_SETUP_H
#define HAUL_AGENT_SETUP_H

#include "agent/inputs.h"
#include "agent/options.h"

struct setup {
	struct conf *conf;
	const struct agent_options *agent;
	const struct collector_options *collector;
	struct inputs inputs;
	char *host; /* valid name */
};

/* Reads and checks everything that a configuration can get wrong. Errors with `err`: -EINVAL and
 * -errno. */
int setup_read(const char *file, struct setup *ret, struct conf_error *err) MUST_CHECK;
void setup_free(struct setup *s);

#endif
