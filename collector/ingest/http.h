/* The HTTP server: the one place that knows libmicrohttpd and its quirks. It accepts, speaks TLS,
 * reads requests, keeps the times of conns.h, and hands each request, as an exchange, to one
 * handler (request.c).
 *
 *     begin -> body ... -> end -> answer
 *
 * Each step may answer, or suspend the exchange and have it resumed from any thread later; then
 * `resumed` is called, on a thread of the server as all the others. One exchange is with one thread
 * at a time.
 *
 * Quirks dealt with here: a suspended connection neither times out nor notices that the peer has
 * gone (its end comes when it is resumed, perhaps `gone` without `resumed`); an answer can be given
 * only before the first byte of the body is read, and then the connection closes, or after the
 * last; all suspended connections must be resumed before the server stops; a pool of one thread is
 * none. */
#ifndef HAUL_COLLECTOR_INGEST_HTTP_H
#define HAUL_COLLECTOR_INGEST_HTTP_H

#include "collector/ingest/conns.h"
#include "collector/ingest/tls.h"
#include "common/buf.h"
#include "common/conf.h"
#include "common/span.h"

#include <stdint.h>
#include <sys/socket.h>

#define HTTP_LENGTH_UNKNOWN UINT64_MAX
#define HTTP_CONNECTION_MEMORY                                                                     \
	65536 /* of each connection: the header must fit, the body passes through */

struct http;
struct http_exchange;

struct http_handler {
	void (*begin)(void *user, struct http_exchange *x); /* the header is there */
	void (*body)(struct http_exchange *x, struct span piece);
	void (*end)(struct http_exchange *x);     /* the body is there: answer or suspend */
	void (*resumed)(struct http_exchange *x); /* after begin suspended: to read on, answer or
					     drop; after end: answer or suspend again */
	void (*gone)(struct http_exchange *x);    /* the exchange is over, answered or not */
};

struct http_config {
	const char *listen; /* HOST:PORT; port 0: any free one */
	unsigned threads;   /* 1 or more */
	struct conns_limits limits;
	struct tls *tls;  /* NULL: plain. Outlives the server. */
	const char *uuid; /* for Haul-Collector; copied */
	const struct http_handler *handler;
	void *user;
};

/* Starts to listen. Errors, with `err`: -errno of the socket, -EIO of the server. */
int http_start(const struct http_config *config, struct http **ret,
	       struct conf_error *err) MUST_CHECK;

/* "127.0.0.1:8514": with the port that was really bound. Lives as long as the server. */
const char *http_address(const struct http *h);

/* Once a second or so: cuts off whose time is over. */
void http_tick(struct http *h, int64_t now_ns, bool pressed);

/* No further connections are taken. */
void http_quiesce(struct http *h);

/* Exchanges that have begun and are not over. */
unsigned http_exchanges(struct http *h);
unsigned http_suspended(struct http *h); /* those of them that are */
struct conns_state http_connections(struct http *h);

/* Closes all and frees. No exchange is suspended (asserted). */
void http_stop(struct http *h);

/* --- one exchange; on the thread that was called, but for http_resume --- */

struct http_peer {
	struct sockaddr_storage address;
	bool local;           /* on this machine: over loopback, or from the very address it
		       connected to */
	gnutls_session_t tls; /* NULL: plain */
	/* What the handler remembers of the connection; freed with it by free(3). */
	void *memo;
};

struct http *http_server(struct http_exchange *x);
struct http_peer *http_peer(struct http_exchange *x);
const char *http_method(const struct http_exchange *x);
const char *http_path(const struct http_exchange *x);
/* The value of the header of that name; empty when there is none, or several: which of them would
 * hold? */
struct span http_header(struct http_exchange *x, const char *name);
bool http_has_header(struct http_exchange *x, const char *name); /* once or more */
/* The value of the first query argument of that name; empty when there is none. */
struct span http_argument(struct http_exchange *x, const char *name);
/* Bytes of the body as announced; HTTP_LENGTH_UNKNOWN for a chunked one; 0 for none. */
uint64_t http_content_length(struct http_exchange *x);
/* The peer waits for a word before it sends the body. */
bool http_expects_continue(struct http_exchange *x);

void http_set_user(struct http_exchange *x, void *user);
void *http_user(struct http_exchange *x);

/* Suspends; from now on http_resume is called exactly once, and may be called before this
 * returns. */
void http_suspend(struct http_exchange *x);
void http_resume(struct http_exchange *x);

struct http_answer {
	unsigned status;
	const char *content_type; /* NULL: text/plain */
	struct buf *body;         /* its memory is taken over, and the buf left empty; NULL: none */
	unsigned retry_after_s;   /* 0: not said */
	const char *allow;        /* of a 405 */
	bool authenticate;        /* of a 401: says which scheme */
	bool close;               /* the connection ends with this answer */
};
void http_answer(struct http_exchange *x, struct http_answer answer);
bool http_answered(const struct http_exchange *x);

/* Ends the connection without an answer. */
void http_drop(struct http_exchange *x);

#endif
