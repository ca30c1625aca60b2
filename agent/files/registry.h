/* The registry: the agent's durable memory of its sources, so that a restart goes on where it was.
 *
 * STATE_DIR/registry is a small log of deltas: one line of text a change, each with its checksum,
 * the last one of a stream wins; rewritten whole when it has grown to several times its content.
 * Written each second when something changed, synced every 30 s and at stop: what a crash takes is
 * covered by the collector's word. Damage of any kind (cut, zeroed, old, unwritable) never keeps
 * the agent from starting or shipping: it is said, the damaged file is set aside, and the
 * collector's streams fill in.
 *
 * STATE_DIR/lock is made by the very first start and never written: its time says when that was.
 *
 * STATE_DIR/identity holds the agent's uuid and the uuid of the collector that it belongs to:
 * uuids.h. */
#ifndef HAUL_AGENT_REGISTRY_H
#define HAUL_AGENT_REGISTRY_H

#include "agent/files/source.h"

struct registry;

/* Opens (makes) STATE_DIR, takes its lock, loads. The entries become sources in state MISSING in
 * `t` (ended ones ENDED). -EWOULDBLOCK: another agent uses the directory. When the directory cannot
 * be used at all the registry lives in memory only, which is said and shown in status
 * (registry_problem). */
int registry_open(const char *state_dir, struct source_table *t, struct registry **ret) MUST_CHECK;
void registry_close(struct registry *r); /* writes and syncs */

const char *registry_agent_uuid(const struct registry *r);
const char *registry_collector_uuid(const struct registry *r); /* "" not known yet */
int registry_set_collector_uuid(struct registry *r, const char *uuid) MUST_CHECK;

/* The source changed (born, committed, renamed, ended): it will be written at the next tick. */
void registry_touch(struct registry *r, struct source *s);
/* The source is about to be dropped from the table; what is kept of its stream is `past` (NULL:
 * nothing). */
struct past;
void registry_forget(struct registry *r, const struct source *s, const struct past *past);

/* Was it never there before, or has it only files that waited for the first word of a collector? */
bool registry_is_first_start(const struct registry *r);
/* A file's times may be behind the clock's by this much. */
#define REGISTRY_CLOCK_SLACK_NS (2 * NUM_SEC_NS)
/* Until when (real time) all files were seen, and what came of it is known: by the last word of the
 * agent before this start; of a registry that is damaged or gone, the time of the very first start.
 * 0: this is the first. */
int64_t registry_last_alive_ns(const struct registry *r);
/* Up to now everything has been seen, and what came of it has been touched. Goes with the next
 * write. */
void registry_alive(struct registry *r, int64_t real_ns);

/* A stream's id must be written before its first chunk leaves: writes all touched ones now and sets
 * `announced`. Also when writing fails (then the collector's listing must do). */
void registry_announce(struct registry *r);

/* Writes when due; returns the monotonic time (ns) when it wants to be called again, INT64_MAX:
 * never. */
int64_t registry_tick(struct registry *r, int64_t now_ns);

/* NULL: all well; else what is wrong, for status. */
const char *registry_problem(const struct registry *r);

#endif
