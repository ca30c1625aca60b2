/* A request's life, from its header to its answer. Everything that is the same for all routes is
 * here: finding the route, who is asking, the body with its limits and its memory, being told to
 * wait, being turned away.
 *
 *     ARRIVING -> QUEUED -> RECEIVING -> WORKING -> HELD -> WORKING -> SUBMITTED ->
 * WORKING -> ANSWERED
 *
 * QUEUED, HELD (no memory yet to receive, to inflate) and SUBMITTED (the store has not answered
 * yet) are suspended. A request that is turned away before its body goes on receiving, throws the
 * body away, and is answered at its end, so that the connection lives and the answer is read; only
 * when the body would be too long, or the peer waits for a word before it sends it, the answer
 * comes at once. */
#ifndef HAUL_COLLECTOR_INGEST_REQUEST_H
#define HAUL_COLLECTOR_INGEST_REQUEST_H

#include "collector/ingest/auth.h"
#include "collector/ingest/budget.h"
#include "collector/ingest/complaints.h"
#include "collector/ingest/door.h"
#include "collector/ingest/forecast.h"
#include "collector/ingest/http.h"
#include "collector/ingest/inflight.h"
#include "collector/ingest/meters.h"
#include "collector/store/archive_meters.h"

/* What all requests share; set up by the program, outlives the server. */
struct intake {
	struct door *door;
	struct auth *auth;
	struct budget *receiving;  /* bodies as they came */
	struct budget *working;    /* inflated, and rendered until the lines are appended */
	struct inflight *inflight; /* batches by host */
	struct scratch *scratch;   /* for inflated bodies */
	struct complaints *complaints;
	struct forecast *forecast; /* of the disk */
	struct meters meters;
	struct archive_meters archive;
	_Atomic uint64_t max_batch; /* bytes of a batch's body */
	_Atomic uint64_t keeps_s;   /* no line is kept for longer; 0: some are for ever */
	int64_t started_us;
	/* monotonic: when a batch was last refused for want of room; 0: never */
	_Atomic int64_t full_ns;
};

/* Memory that a request has taken of both budgets. It may live on with what the store holds. */
struct charge {
	struct intake *intake;
	uint64_t receiving, working;
};
void charge_release(void *charge); /* gives all back and frees; NULL is fine */

enum request_state {
	REQUEST_ARRIVING,
	REQUEST_QUEUED,
	REQUEST_RECEIVING,
	REQUEST_WORKING,
	REQUEST_HELD,
	REQUEST_SUBMITTED,
	REQUEST_ANSWERED,
};

#define REFUSAL_TEXT_MAX 512

struct refusal {
	unsigned status; /* 0: not refused */
	unsigned retry_after_s;
	char text[REFUSAL_TEXT_MAX];
};

struct route;

struct request {
	enum request_state state;
	struct intake *intake;
	struct http_exchange *x;
	const struct route *route; /* NULL: none was found */
	struct principal principal;
	bool pass; /* of the door */
	struct refusal refusal;
	const char *allow; /* of a 405 */
	struct buf body;
	uint64_t announced; /* length of the body, HTTP_LENGTH_UNKNOWN */
	uint64_t discarded; /* of the body of one that was turned away */
	struct charge *charge;
	struct budget_waiter waiter;
	bool granted;
	uint64_t *waits_for; /* which of the charges */
	void *own;           /* the route's */
};

/* The server's handler. Its user is the intake. */
extern const struct http_handler request_handler;

/* --- for routes --- */

/* Notes the refusal; the first one counts. The caller returns afterwards. */
void request_refuse(struct request *r, unsigned status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for what will pass: 429, 503, 507. */
void request_put_off(struct request *r, unsigned status, unsigned retry_after_s, const char *fmt,
		     ...) __attribute__((format(printf, 4, 5)));

/* Answers: the refusal when there is one, else 200 with `body` (its memory is taken over). */
void request_answer(struct request *r, const char *content_type, struct buf *body);
/* The same with another status. */
void request_answer_status(struct request *r, unsigned status, const char *content_type,
			   struct buf *body);

/* Takes `bytes` for inflating. True: they are there. False: the request is held, and run is called
 * again when they are, or it has been put off. */
bool request_take_memory(struct request *r, uint64_t bytes) MUST_CHECK;

/* Suspends until request_go_on, which may come from any thread and before this returns. Then the
 * route's go_on is called. */
void request_submit(struct request *r);
void request_go_on(struct request *r);

#endif
