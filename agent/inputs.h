/* All inputs of a configuration, made ready: patterns compiled, zones loaded. */
#ifndef HAUL_AGENT_INPUTS_H
#define HAUL_AGENT_INPUTS_H

#include "agent/input.h"
#include "common/conf.h"

struct inputs {
	struct input *items; /* texts point into the conf, which outlives them */
	size_t n;
};

/* Without any [input] section there are those that follow /var/log and the logs of container runtimes. Errors: -EINVAL with
 * `err` (FILE:LINE of the section); -ENOMEM. */
int inputs_new(const struct conf *conf, struct inputs *ret, struct conf_error *err) MUST_CHECK;
void inputs_free(struct inputs *in);

#endif
