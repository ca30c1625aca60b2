/* All inputs of a configuration, made ready: patterns compiled, zones loaded. */
#ifndef HAUL_AGENT_INPUTS_H
#define HAUL_AGENT_INPUTS_H

#include "agent/input.h"
#include "common/conf.h"

struct inputs {
	struct input *items; /* texts point into the conf, which outlives them */
	size_t n;
	/* nothing is configured, and why the journal is not among these; NULL: it is, or something
	 * is configured; owned */
	char *no_journal;
};

/* Without any [input] section there are those that follow /var/log, the logs of container runtimes
 * and the journal. Errors: -EINVAL with
 * `err` (FILE:LINE of the section); -ENOMEM. */
int inputs_new(const struct conf *conf, struct inputs *ret, struct conf_error *err) MUST_CHECK;
void inputs_free(struct inputs *in);

#endif
