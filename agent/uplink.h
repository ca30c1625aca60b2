/* The way to the collector: session, listing of streams, batches; over libcurl's multi interface, in the
 * agent's one thread. Knows the protocol, nothing of files.
 *
 *     DOWN -> SESSION -> LISTING -> READY <-> SENDING
 *       ^________|__________|_________|__________|      (unreachable, 409, other collector: back-off)
 */
#ifndef HAUL_AGENT_UPLINK_H
#define HAUL_AGENT_UPLINK_H

#include "common/chunk.h"
#include "common/conf.h"

enum uplink_state {
	UPLINK_DOWN,	/* waiting out a back-off (or not begun) */
	UPLINK_SESSION, /* POST /v1/session is under way */
	UPLINK_LISTING, /* GET /v1/streams, page by page */
	UPLINK_READY,
	UPLINK_SENDING, /* one batch is in flight, or waits to be sent again */
	UPLINK_HELD,	/* another collector answers under this name (its uuid differs): nothing is sent */
};

struct uplink_config {
	struct conf_list urls;
	const char *token_file, *ca_file, *pin, *client_cert, *client_key;
	const char *host;
	const char *agent_uuid;
	const char *collector_uuid; /* "" any: the first one seen is kept by the caller */
	bool failover;
	int64_t timeout_ns;
	uint64_t max_rate; /* bytes a second; 0: none */
};

/* What the agent is told; called from uplink_tick only. */
struct uplink_calls {
	void (*collector)(void *user, const char *uuid);		 /* a uuid seen for the first time */
	void (*row)(void *user, const struct stream_row *row);	 /* LISTING: one stream */
	void (*rows_end)(void *user);				 /* LISTING is complete: READY follows */
	void (*verdict)(void *user, size_t index, const struct chunk_verdict *v); /* of the batch in flight */
	void (*answered)(void *user); /* all verdicts were given: the batch may be reset */
	void (*too_large)(void *user); /* 413, or no progress within the timeout: cut it smaller */
	void (*session_lost)(void *user); /* 409: the batch in flight was not taken; rewind, session again */
	void *user;
};

struct uplink;

int uplink_new(const struct uplink_config *config, const struct uplink_calls *calls,
	       struct uplink **ret) MUST_CHECK;
void uplink_free(struct uplink *u);

enum uplink_state uplink_state(const struct uplink *u);
/* One sentence for status: NULL all well. */
const char *uplink_problem(const struct uplink *u);

/* Sends a finished body; it stays the caller's and unchanged until answered, too_large or session_lost.
 * Only in state READY. Sent again verbatim by itself after failures that tell nothing. */
void uplink_send(struct uplink *u, struct span body);

/* Asks for session and streams again (after a conflict). */
void uplink_resync(struct uplink *u);

/* Waits up to `timeout_ns` for curl's sockets or one of `fds` (struct curl_waitfd), then moves everything
 * on. */
struct curl_waitfd;
int uplink_wait(struct uplink *u, struct curl_waitfd *fds, unsigned n, int64_t timeout_ns) MUST_CHECK;
void uplink_tick(struct uplink *u, int64_t now_ns);
int64_t uplink_next_ns(const struct uplink *u);

struct uplink_counters {
	uint64_t requests, failures, retries, bytes_sent, batches_acked, conflicts, duplicates, refused;
	double round_trip_seconds; /* sum over acknowledged batches */
};
void uplink_counters(const struct uplink *u, struct uplink_counters *ret);

#endif
