/* The shipper's own state, for shipper.c and verdicts.c. */
#ifndef HAUL_AGENT_SHIPPER_PARTS_H
#define HAUL_AGENT_SHIPPER_PARTS_H

#include "agent/ship/shipper.h"

#include "agent/ship/batcher.h"
#include "agent/ship/pump.h"
#include "agent/ship/way.h"
#include "common/log.h"

struct shipper {
	struct shipper_config config;
	struct source_table *table;
	struct registry *registry;
	struct discover *discover;
	struct journals *journals;
	struct uplink *uplink; /* NULL: it is over there */
	struct way way;        /* to the uplink, wherever it is */
	struct pump *pump;
	struct batcher batches[2];
	struct batcher *filling;
	struct batcher *flying; /* NULL: none is in flight */
	uint64_t target;        /* payload bytes at which a batch is full */
	uint64_t ceiling;       /* more than this was too large */
	unsigned acks_at_ceiling;
	bool finishing;

	/* the other thread's batches */
	bool guest;          /* it is one of them that is in flight */
	bool guest_next;     /* it is their turn */
	int64_t rest_due_ns; /* INT64_MAX: nothing was used since */
	bool rested;

	/* from the verdicts of the batch in flight */
	size_t verdicts; /* so many were given */
	bool conflict;   /* something is not as the agent believed: ask for the streams
			  again */
	bool rewind;     /* chunks were not taken: begin again from what is committed */
	bool put_off;    /* some that continue what is committed: not now */
	bool went_on;    /* others were taken */
	int64_t due_ns;  /* not before that anything is sent again */
	struct log_gate refused_gate, conflict_gate;
	struct shipper_counters counters;
	struct losses losses;
};

/* The two batches are given up; everything that is not committed begins again. */
void shipper_rewind(struct shipper *s);

/* Calls of the uplink: struct uplink_calls says what they are told. `user` is the shipper. */
void shipper_on_verdict(void *user, size_t index, const struct chunk_verdict *v);
void shipper_on_answered(void *user);
void shipper_on_too_large(void *user, const char *why);

#endif
