/* The whole flow on a host (tests/lib/host.h): the agent's own shipper on real files, and a
 * collector in memory that compares and appends to the letter. Batches come by a ferry, so the test
 * decides when one is judged and whether the agent hears of it. */
#ifndef HAUL_TESTS_LIB_FLOW_H
#define HAUL_TESTS_LIB_FLOW_H

#include "agent/ship/shipper.h"
#include "tests/lib/host.h"

struct flow_stream { /* as the collector knows it */
	struct stream_id id;
	char path[512];
	uint64_t ino, start, base, offset, crc;
	int64_t btime_ns;
	struct buf state;
	bool ended;
	uint64_t lost; /* bytes */
};

struct flow {
	struct host *host;
	struct flow_stream *streams;
	size_t n_streams;
	struct buf lines;     /* "FLAGS MESSAGE" LF, in the order of their arrival */
	uint64_t batch_bytes; /* of the next start */
	bool down;            /* the collector does not answer */
	struct ferry *ferry;
	struct journals *journals;
	struct shipper *shipper;
};

/* The host has its inputs; they get what the flow needs. */
void flow_init(struct flow *f, struct host *h);
void flow_free(struct flow *f); /* the host stays, stopped */

void flow_start(struct flow *f);
void flow_stop(struct flow *f); /* what is in flight is not waited for */
/* As by kill -9. `deliver`: what is in flight arrives, and nobody hears the answer. */
void flow_kill(struct flow *f, bool deliver);
/* The session is lost: everything that was not acknowledged begins again. */
void flow_lose_session(struct flow *f);
/* `n` turns of the agent's loop. */
void flow_turns(struct flow *f, unsigned n);
/* Turns until nothing has arrived for so many. */
void flow_run(struct flow *f, unsigned quiet);

#endif
