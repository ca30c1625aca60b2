/* The shipper: between the sources and the collector. Two batches exist: one in flight, one being
 * filled. It decides when a batch leaves and how large it gets, and turns every verdict into what
 * it means for the sources: commit, rewind, cut smaller, loss, resync. */
#ifndef HAUL_AGENT_SHIPPER_H
#define HAUL_AGENT_SHIPPER_H

#include "agent/files/discover.h"
#include "agent/files/registry.h"
#include "agent/files/source.h"
#include "agent/files/wanted.h"
#include "agent/journal/journal.h"
#include "agent/lines/envelope.h"
#include "agent/ship/ferry.h"
#include "agent/ship/losses.h"
#include "agent/ship/uplink.h"

struct shipper_config {
	struct uplink_config uplink;
	uint64_t batch_bytes;
	int64_t batch_delay_ns;
	uint64_t arena_bytes; /* raw bytes that the two batches may hold together */
	/* to a shipper in another thread, which has no uplink; NULL: there is none */
	struct ferry *ferry;
	bool far;             /* this is that shipper */
	struct wanted wanted; /* which streams are the far side's */
};

struct shipper;

/* Everything handed over outlives the shipper. Errors: -ENOMEM, -EIO (libcurl). */
int shipper_new(const struct shipper_config *config, struct source_table *t, struct registry *r,
		struct discover *d, struct journals *j, struct shipper **ret) MUST_CHECK;
void shipper_free(struct shipper *s);

/* A reload in two steps, of which only the first can fail (-ENOMEM, -EIO): what is in hand goes
 * back to the sources, and a new session is opened by the new configuration. */
int shipper_prepare(struct shipper *s, const struct shipper_config *config,
		    struct uplink **ret) MUST_CHECK;
void shipper_switch(struct shipper *s, const struct shipper_config *config, struct uplink *uplink);

/* Waits up to `timeout_ns` for the collector's answers or one of `fds`. Errors: -EIO. */
int shipper_wait(struct shipper *s, struct curl_waitfd *fds, unsigned n,
		 int64_t timeout_ns) MUST_CHECK;

/* Takes answers, fills, sends. */
void shipper_tick(struct shipper *s, int64_t now_ns);

/* When shipper_tick wants to be called though nothing is ready; INT64_MAX: never. */
int64_t shipper_next_ns(const struct shipper *s);

/* From now on what is in hand is sent without waiting for more, and nothing further is read. */
void shipper_finish(struct shipper *s);
/* Nothing is in flight and nothing waits to be sent, or there is no collector to take it. */
bool shipper_finished(const struct shipper *s);

/* From now on (NULL: no more) another thread's batches are sent as well. Not for the far one. */
void shipper_set_ferry(struct shipper *s, struct ferry *ferry);

const struct uplink *shipper_uplink(const struct shipper *s); /* NULL: it is the far one */

struct shipper_counters {
	uint64_t conflicts, duplicates, refused, losses, lost_bytes, rewinds;
	uint64_t arena_used_bytes;
	struct loss_sum lost[LOSSES_CAUSES]; /* by cause */
	size_t n_lost;
	struct envelopes_counters containers;
};
/* What was lost, the last records included. */
const struct losses *shipper_losses(const struct shipper *s);
void shipper_counters(const struct shipper *s, struct shipper_counters *ret);

#endif
