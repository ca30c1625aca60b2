/* The inside of the agent, for its files only:
 *
 *     agent.c    signals and the loop
 *     parts.c    making its parts, and what each of them is told of the configuration
 *     reload.c   another configuration for the parts that run
 */
#ifndef HAUL_AGENT_AGENT_INSIDE_H
#define HAUL_AGENT_AGENT_INSIDE_H

#include "agent/far.h"
#include "agent/files/discover.h"
#include "agent/files/registry.h"
#include "agent/files/source.h"
#include "agent/heartbeat.h"
#include "agent/journal/journal.h"
#include "agent/listener.h"
#include "agent/machine.h"
#include "agent/setup.h"
#include "agent/ship/shipper.h"
#include "agent/status.h"

struct agent {
	struct setup setup;
	const char *file; /* of the configuration */
	struct source_table *table;
	struct registry *registry;
	struct discover *discover;
	struct journals *journals;
	struct shipper *shipper;
	struct listener *listener; /* NULL: off */
	struct far *far;           /* follows inputs with remote = yes; NULL: there are none */
	struct setup *retired;     /* what the far side may still use */
	size_t n_retired;
	struct status_view view;
	struct report report; /* as it was at reported_ns; 0: not yet */
	int64_t reported_ns;
	char machine[MACHINE_LEN + 1];
	int signal_fd;
	bool stopping;
	int64_t stop_by_ns;
	struct heartbeat heartbeat;
};

/* --- parts.c --- */

/* Makes them in the order in which they need each other; says what failed. */
int parts_make(struct agent *a) MUST_CHECK;
void parts_free(struct agent *a);
struct discover_config parts_discover(const struct setup *s);
struct discover_config parts_far_discover(const struct setup *s);
struct shipper_config parts_shipper(struct agent *a, const struct setup *setup);
/* The far side, if an input wants it and it is not there. The others are followed also when this
 * fails. */
void parts_start_far(struct agent *a, const struct setup *setup);
/* A uuid in the configuration (join writes it there) is the administrator's word: the agent moves
 * to that collector. */
void parts_keep_collector(struct agent *a, const struct setup *setup);
/* What the status shows of them. */
void parts_show(struct agent *a);

/* --- reload.c --- */

/* Atomic: either everything of the new configuration holds, or the old one goes on. */
void reload_setup(struct agent *a);
void reload_say_what_is_left_out(const struct setup *s);
/* The configurations that the far side may have used: it has let go of them. */
void reload_free_retired(struct agent *a);

#endif
