/* What the agent says about itself: the JSON of /status, the page of /metrics, and `haul-agent
 * status`, which shows the former to people. */
#ifndef HAUL_AGENT_STATUS_H
#define HAUL_AGENT_STATUS_H

#include "agent/files/discover.h"
#include "agent/files/registry.h"
#include "agent/files/source.h"
#include "agent/inputs.h"
#include "agent/journal/journal.h"
#include "agent/ship/shipper.h"

#include <limits.h>

#define STATUS_KEEPING_UP_S 10 /* what waits for less is on its way */

struct far;

struct status_view { /* of the running agent; borrowed */
	const char *host;
	const char *url;
	const struct source_table *table;
	const struct registry *registry;
	const struct discover *discover;
	const struct journals *journals;
	const struct shipper *shipper;
	const struct inputs *inputs;
	struct far *far; /* NULL: no input says remote = yes */
	uint64_t max_deleted;
	int64_t started_ns;
};

/* The figures of one thread that follows files; plain data. */
struct status_side {
	struct discover_counters discover;
	struct shipper_counters shipper;
	uint64_t files, failing, lag_bytes;
	double lag_seconds, rate_bytes_per_second;
	char most_behind[PATH_MAX]; /* the path of the file that waits longest; "" none waits */
	char registry_problem[512]; /* "" none */
};
void status_side(const struct source_table *t, const struct discover *d, const struct shipper *s,
		 const struct registry *r, struct status_side *ret);
void status_side_add(struct status_side *to, const struct status_side *more);

/* The same of all threads, for the collector (common/report.h), but for the time. */
void status_report(const struct status_view *v, struct report *ret);
/* Does the collector take batches? */
bool status_is_up(const struct uplink *u);

/* JSON objects, parted by commas: a file each; a loss each, the last ones. Errors: -ENOMEM. */
int status_rows(const struct source_table *t, struct buf *out) MUST_CHECK;
int status_losses(const struct shipper *s, struct buf *out) MUST_CHECK;

/* Errors: -ENOMEM. */
int status_json(const struct status_view *v, struct buf *out) MUST_CHECK;
int status_metrics(const struct status_view *v, struct buf *out) MUST_CHECK;

/* `haul-agent status`: asks the agent that listens at `address`, prints to stdout (the JSON as it
 * came, or a table). Returns an exit code: 0, or 1 when no agent answers. */
int status_show(const char *address, bool json);

/* For `haul-agent explain`: one more line about what the running agent does with the file; none
 * when no agent answers or it does not have the path. Errors: -ENOMEM. */
int status_explain(const char *address, const char *path, struct buf *out) MUST_CHECK;

#endif
