/* The way to the collector: session, listing of streams, batches; over libcurl's multi interface,
 * in the agent's one thread. Knows the protocol (haul-protocol(7)), nothing of files.
 *
 *     DOWN -> SESSION -> LISTING -> READY <-> SENDING, REPORTING
 *       ^________|__________|_________________|    (unreachable, 409, another collector: back-off)
 *
 * One request is under way at a time. Only answers that carry Haul-Protocol: 1 are the collector's
 * word; any other answer (a proxy's 404) is the same as none. */
#ifndef HAUL_AGENT_UPLINK_H
#define HAUL_AGENT_UPLINK_H

#include "common/chunk.h"
#include "common/conf.h"
#include "common/report.h"

enum uplink_state {
	UPLINK_DOWN,    /* waiting out a back-off, or not begun; a session comes next */
	UPLINK_SESSION, /* POST /v1/session is under way */
	UPLINK_LISTING, /* GET /v1/streams, page by page */
	UPLINK_READY,   /* a batch may be sent */
	UPLINK_SENDING, /* one batch is in flight, or waits to be sent again */
	/* nothing was sent for a minute: a word that all is well is under way; READY follows */
	UPLINK_REPORTING,
};

struct uplink_config {
	struct conf_list urls;                                             /* tried in order */
	const char *token_file, *ca_file, *pin, *client_cert, *client_key; /* "" not set */
	const char *host;
	const char *machine; /* tells machines apart that claim one host name */
	const char *agent_uuid;
	const char *collector_uuid; /* the one this agent belongs to; "" not known yet */
	bool failover;              /* another collector is as good */
	int64_t timeout_ns;         /* without progress */
	uint64_t max_rate;          /* bytes a second; 0: no limit */
	/* Before each request: what it is to tell of the agent (common/report.h), but for the
	 * time. */
	void (*report)(void *user, struct report *ret);
	void *report_user;
};

/* What the agent is told, from within uplink_tick. */
struct uplink_calls {
	/* A collector that this agent did not know answers (the first, or another with
	 * failover). */
	void (*collector)(void *user, const char *uuid);
	/* A session is open: no line is kept there for longer than this; 0: some are for ever, or
	 * it does not say. LISTING follows. */
	void (*keeps)(void *user, int64_t keeps_ns);
	/* LISTING: one stream; then all were given and READY follows. */
	void (*row)(void *user, const struct stream_row *row);
	void (*rows_end)(void *user);
	/* SENDING: one verdict a chunk, in order; then READY follows. */
	void (*verdict)(void *user, size_t index, const struct chunk_verdict *v);
	void (*answered)(void *user);
	/* SENDING: the batch was not taken as it is (400, 413, no progress within the timeout): cut
	 * it smaller. READY follows. `why` for the message when it cannot be made smaller. */
	void (*too_large)(void *user, const char *why);
	/* SENDING: this session is no longer the host's (409): nothing was taken; DOWN follows. */
	void (*session_lost)(void *user);
	void *user;
};

struct uplink;

/* The configuration's texts and lists outlive the uplink. Errors: -ENOMEM, -EIO (libcurl). */
int uplink_new(const struct uplink_config *config, const struct uplink_calls *calls,
	       struct uplink **ret) MUST_CHECK;
void uplink_free(struct uplink *u);

enum uplink_state uplink_state(const struct uplink *u);

/* What is wrong, as one sentence for status; NULL: all well. */
const char *uplink_problem(const struct uplink *u);
/* Since when there is one, real time; 0: there is none. */
int64_t uplink_problem_since_ns(const struct uplink *u);

/* Sends a whole body; it stays the caller's, unchanged, until answered, too_large or session_lost.
 * Only in state READY. It is sent again, verbatim, by itself after failures that tell nothing. */
void uplink_send(struct uplink *u, struct span body);

/* Asks for session and streams again, at once (after a conflict). Only in state READY. */
void uplink_resync(struct uplink *u);

/* Waits up to `timeout_ns` for curl's sockets or one of the `fds`; then uplink_tick moves
 * everything on. Errors: -EIO. */
struct curl_waitfd;
int uplink_wait(struct uplink *u, struct curl_waitfd *fds, unsigned n,
		int64_t timeout_ns) MUST_CHECK;
void uplink_tick(struct uplink *u, int64_t now_ns);

/* When uplink_tick wants to be called though no socket is ready; INT64_MAX: never. */
int64_t uplink_next_ns(const struct uplink *u);

struct uplink_counters {
	uint64_t requests, failures, bytes_sent, batches_acked;
	double round_trip_seconds; /* sum over acknowledged batches */
	int64_t last_ack_real_ns;  /* 0: none yet */
};
const struct uplink_counters *uplink_counters(const struct uplink *u);

#endif
