/* The connections: who is connected, since when in which phase, and whom to cut off. microhttpd's
 * own timeout begins anew with every byte, so it never ends a peer that sends a header a byte a
 * minute; and when its limit of connections is reached, it locks out those who have something to
 * say. Here each phase has its own time, and when the house is full the connection that has been
 * silent for longest makes room.
 *
 * Cutting is shutdown(2): the server notices and closes by itself. A connection is in the table
 * from its start to its close, and its descriptor is not reused in between.
 *
 * Threads: any. */
#ifndef HAUL_COLLECTOR_INGEST_CONNS_H
#define HAUL_COLLECTOR_INGEST_CONNS_H

#include "common/buf.h"

#include <stdint.h>
#include <sys/socket.h>

enum conn_phase {
	CONN_FRESH,     /* no complete request header yet */
	CONN_IDLE,      /* kept alive between requests */
	CONN_RECEIVING, /* a body is coming in */
	CONN_WORKING,   /* the collector's turn: never cut */
	CONN_ANSWERING, /* an answer goes out */
};

struct conns_limits {
	unsigned max;          /* connections */
	unsigned per_peer;     /* of one address */
	int64_t fresh_ns;      /* from the start to the first complete header */
	int64_t idle_ns;       /* from one answer to the next complete header */
	int64_t stall_ns;      /* without a byte of the body */
	int64_t answer_ns;     /* for the whole answer */
	uint64_t body_rate;    /* bytes a second that a body must make on average beyond
				  stall_ns */
	uint64_t pressed_rate; /* the same while others wait for memory */
};

struct conns;
struct conn;

struct conns *conns_new(struct conns_limits limits); /* NULL: no memory */
void conns_free(struct conns *cs);                   /* all removed (asserted) */

/* NULL when there is no room and nobody silent to make it, or no memory: the caller closes the
 * connection. */
struct conn *conns_add(struct conns *cs, int fd, const struct sockaddr *address);
void conns_remove(struct conns *cs, struct conn *c); /* fine on NULL */

void conns_enter(struct conns *cs, struct conn *c, enum conn_phase phase);
void conns_received(struct conns *cs, struct conn *c, uint64_t bytes); /* of a body */

/* Cuts those whose time is over; `pressed`: others wait for memory. Returns how many. */
unsigned conns_tick(struct conns *cs, int64_t now_ns, bool pressed);

/* Cuts all that are fresh or idle: at the end. */
void conns_cut_silent(struct conns *cs);

struct conns_state {
	unsigned connections, silent;                   /* silent: fresh or idle */
	uint64_t accepted, refused, evicted, timed_out; /* sums */
};
struct conns_state conns_state(struct conns *cs);

#endif
