/* What the agent says about itself: the JSON of /status, the page of /metrics, and
 * `haul-agent status`, which shows the former to people. */
#ifndef HAUL_AGENT_STATUS_H
#define HAUL_AGENT_STATUS_H

#include "agent/files/discover.h"
#include "agent/files/registry.h"
#include "agent/files/source.h"
#include "agent/inputs.h"
#include "agent/journal/journal.h"
#include "agent/ship/shipper.h"

struct status_view { /* of the running agent; borrowed */
	const char *host;
	const char *url;
	const struct source_table *table;
	const struct registry *registry;
	const struct discover *discover;
	const struct journals *journals;
	const struct shipper *shipper;
	const struct inputs *inputs;
	int64_t started_ns;
};

/* Errors: -ENOMEM. */
int status_json(const struct status_view *v, struct buf *out) MUST_CHECK;
int status_metrics(const struct status_view *v, struct buf *out) MUST_CHECK;

/* `haul-agent status`: asks the agent that listens at `address`, prints to stdout (the
 * JSON as it came, or a table). Returns an exit code: 0, or 1 when no agent answers. */
int status_show(const char *address, bool json);

#endif
