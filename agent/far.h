/* The far side: files that inputs with remote = yes want, found and read in a thread of their own.
 * Whatever looks at them or reads them may hang for as long as a server is away; nothing else does.
 * It has all that the near side has (table, registry, discover, shipper) but the uplink, to which
 * its batches go by a ferry. */
#ifndef HAUL_AGENT_FAR_H
#define HAUL_AGENT_FAR_H

#include "agent/files/discover.h"
#include "agent/ship/ferry.h"
#include "agent/ship/shipper.h"
#include "agent/status.h"

struct far;

struct far_config {
	struct discover_config discover; /* its inputs live until far_holds says otherwise */
	struct shipper_config shipper;
	const char *state_dir; /* the near side's: the far side's registry is in it, in remote/ */
};

/* Starts the thread. All functions are the near thread's. Errors: -ENOMEM, -errno. */
int far_start(const struct far_config *config, struct far **ret) MUST_CHECK;

/* Ends the thread and frees it, within `wait_ns`; false: it hangs. Then the process ends without
 * it, and what it uses must stay until then. True on NULL. */
bool far_stop(struct far *f, int64_t wait_ns) MUST_CHECK;

/* Other inputs from its next turn on. */
void far_reload(struct far *f, const struct discover_config *config);
/* Does it still use inputs that it was given before the last far_reload? */
bool far_holds_old(const struct far *f);

/* From now on what is in hand is sent, and nothing further is read; is that done? */
void far_finish(struct far *f);
bool far_finished(const struct far *f);

struct ferry *far_ferry(const struct far *f);

/* For how long it has been looking at or reading files without a pause, beyond a few seconds; 0: it
 * does not hang. */
int64_t far_hangs_ns(const struct far *f, int64_t now_ns);
/* Says so when it has gone on for long, and when it is over. */
void far_watch(struct far *f, int64_t now_ns);

/* What it said of itself last; rows and losses (agent/status.h) are appended. Errors: -ENOMEM. */
int far_status(struct far *f, struct status_side *ret, struct buf *rows,
	       struct buf *losses) MUST_CHECK;

#endif
