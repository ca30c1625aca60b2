/* A request's life: see request.h. The server (http.c) calls the handler's steps, routes are called
 * from here.
 *
 * Invariants: `state` is changed by enter() alone. A refusal that is noted wins over everything: no
 * route runs after it. The pass of the door, the charge and the route's own are given back in
 * request_gone, whatever happened; but a charge that was handed to a submission (charge == NULL
 * here) is given back by the store's last reference.
 *
 * How it fails: no memory for the request itself ends the connection; later it is a 503. */
#include "collector/ingest/request.h"

#include "collector/ingest/route.h"
#include "common/clock.h"
#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* A body is charged in steps as it comes in, so that a slow one holds no more than what it has
 * sent. */
enum { RECEIVE_STEP = 256 << 10 };
/* How long a request waits for memory before it is told to come again: long enough to span a
 * checkpoint's pause, short against an agent's timeout of 60 s. */
static const int64_t WAIT_NS = 5 * NUM_SEC_NS;
enum { BUSY_RETRY_S = 1, SHUT_RETRY_S = 2 };
/* Of a body that is not wanted, this many times max_batch is thrown away before the connection
 * ends. */
enum { DISCARD_FACTOR = 2 };

/* --- state --- */

static bool may_follow(enum request_state from, enum request_state to)
{
	switch (from) {
	case REQUEST_ARRIVING: return to != REQUEST_HELD && to != REQUEST_SUBMITTED;
	case REQUEST_QUEUED: return to == REQUEST_RECEIVING || to == REQUEST_ANSWERED;
	case REQUEST_RECEIVING: return to == REQUEST_WORKING || to == REQUEST_ANSWERED;
	case REQUEST_WORKING:
		return to == REQUEST_HELD || to == REQUEST_SUBMITTED || to == REQUEST_ANSWERED;
	case REQUEST_HELD:
	case REQUEST_SUBMITTED: return to == REQUEST_WORKING;
	case REQUEST_ANSWERED: return false;
	}
	return false;
}

static void enter(struct request *r, enum request_state state)
{
	assert(may_follow(r->state, state));
	r->state = state;
}

void charge_release(void *charge)
{
	struct charge *c = charge;
	if (!c)
		return;
	if (c->receiving)
		budget_give(c->intake->receiving, c->receiving);
	if (c->working)
		budget_give(c->intake->working, c->working);
	free(c);
}

/* --- answers --- */

static void note_refusal(struct request *r, unsigned status, unsigned retry_after_s,
			 const char *fmt, va_list args) __attribute__((format(printf, 4, 0)));
static void note_refusal(struct request *r, unsigned status, unsigned retry_after_s,
			 const char *fmt, va_list args)
{
	if (r->refusal.status)
		return;
	r->refusal.status = status;
	r->refusal.retry_after_s = retry_after_s;
	(void)vsnprintf(r->refusal.text, sizeof(r->refusal.text), fmt, args);
}

void request_refuse(struct request *r, unsigned status, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	note_refusal(r, status, 0, fmt, args);
	va_end(args);
}

void request_put_off(struct request *r, unsigned status, unsigned retry_after_s, const char *fmt,
		     ...)
{
	va_list args;
	va_start(args, fmt);
	note_refusal(r, status, retry_after_s, fmt, args);
	va_end(args);
}

static void send_answer(struct request *r, struct http_answer answer)
{
	enter(r, REQUEST_ANSWERED);
	meters_count_answer(&r->intake->meters, answer.status);
	http_answer(r->x, answer);
	if (r->pass) /* the store is not needed for the rest, which may take as long as
			the peer likes */
		door_return(r->intake->door);
	r->pass = false;
}

/* A text of a refusal is one line, whatever a peer put into it. */
static void flatten(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static void send_refusal(struct request *r)
{
	struct refusal *why = &r->refusal;
	struct buf text = BUF_EMPTY;
	flatten(why->text);
	const struct http_peer *peer = http_peer(r->x);
	complaints_tell(r->intake->complaints, (const struct sockaddr *)&peer->address, why->status,
			r->route ? r->route->path : "a request", why->text);
	if (buf_printf(&text, "%s\n", why->text) < 0)
		text.len = 0; /* the status says enough */
	send_answer(r, (struct http_answer){.status = why->status,
					    .body = &text,
					    .retry_after_s = why->retry_after_s,
					    .allow = r->allow,
					    .authenticate = why->status == 401});
	buf_free(&text);
}

void request_answer_status(struct request *r, unsigned status, const char *content_type,
			   struct buf *body)
{
	if (r->refusal.status)
		send_refusal(r);
	else
		send_answer(r, (struct http_answer){.status = status,
						    .content_type = content_type,
						    .body = body});
}

void request_answer(struct request *r, const char *content_type, struct buf *body)
{
	request_answer_status(r, 200, content_type, body);
}

/* --- the header --- */

static uint64_t body_max(const struct request *r)
{
	if (r->route && !r->route->batch)
		return r->route->body_max;
	return atomic_load(&r->intake->max_batch);
}

static void find_route(struct request *r)
{
	unsigned status;
	const char *method = http_method(r->x), *path = http_path(r->x);
	r->route = route_find(method, path, &status, &r->allow);
	if (!r->route && status == 405)
		request_refuse(r, 405, "%.16s: only %s is known for %s", method, r->allow, path);
	else if (!r->route)
		request_refuse(r, 404, "nothing is known under this path: %.200s", path);
}

static void check_access(struct request *r)
{
	const char *why = "";
	int result = 0;
	switch (r->route->access) {
	case ROUTE_ANYONE: return;
	case ROUTE_AGENT: result = auth_identify(r->intake->auth, r->x, &r->principal, &why); break;
	case ROUTE_OPERATOR: result = auth_operator(r->intake->auth, r->x, &why); break;
	}
	if (result == -EACCES)
		request_refuse(r, 401, "%s", why);
	else if (result < 0)
		request_put_off(r, 503, BUSY_RETRY_S, "the collector is short of memory");
}

static void check_length(struct request *r)
{
	uint64_t max = body_max(r);
	if (r->announced != HTTP_LENGTH_UNKNOWN && r->announced > max)
		request_refuse(r, 413,
			       "the body has %" PRIu64 " bytes, at most %" PRIu64 " are taken",
			       r->announced, max);
}

static void take_pass(struct request *r)
{
	char reason[DOOR_REASON_MAX];
	r->pass = door_pass(r->intake->door, reason);
	if (!r->pass)
		request_put_off(r, 503, SHUT_RETRY_S, "not ready: %s", reason);
}

static void check_header(struct request *r)
{
	find_route(r);
	if (!r->refusal.status)
		check_access(r);
	if (!r->refusal.status)
		check_length(r);
	if (!r->refusal.status && r->route->writes)
		take_pass(r);
	if (!r->refusal.status && r->route->check)
		r->route->check(r);
}

/* A refused request goes on receiving when that is bearable, else its answer ends it. */
static void begin_refused(struct request *r)
{
	bool bearable = r->announced <= atomic_load(&r->intake->max_batch) ||
			r->announced == HTTP_LENGTH_UNKNOWN;
	if (r->announced && (!bearable || http_expects_continue(r->x)))
		send_refusal(r);
	else
		enter(r, REQUEST_RECEIVING);
}

/* --- memory --- */

static void decided(void *user, bool granted)
{
	struct request *r = user;
	r->granted = granted;
	if (granted) /* noted here, for the peer may have gone: then only on_gone is to come */
		*r->waits_for += r->waiter.bytes;
	http_resume(r->x);
}

/* Suspends until the budget has decided. */
static void wait_for(struct request *r, struct budget *budget, uint64_t *charge, uint64_t bytes,
		     enum request_state state)
{
	enter(r, state);
	meters_add(&r->intake->meters.waits, 1);
	r->waiter = (struct budget_waiter){.bytes = bytes,
					   .deadline_ns = clock_mono_ns() + WAIT_NS,
					   .decided = decided,
					   .user = r};
	r->waits_for = charge;
	http_suspend(r->x);
	if (budget_take(budget, &r->waiter) == 0)
		decided(r, true);
}

static void put_off_busy(struct request *r)
{
	request_put_off(r, 429, BUSY_RETRY_S, "busy: too much is in flight, come again");
}

static uint64_t first_step(const struct request *r)
{
	return r->announced < RECEIVE_STEP ? r->announced : RECEIVE_STEP;
}

static void begin_receiving(struct request *r)
{
	if (!r->route->batch) {
		enter(r, REQUEST_RECEIVING);
		return;
	}
	r->charge = calloc(1, sizeof(*r->charge));
	if (!r->charge) {
		put_off_busy(r);
		begin_refused(r);
		return;
	}
	r->charge->intake = r->intake;
	if (budget_try(r->intake->receiving, first_step(r)) == 0) {
		r->charge->receiving = first_step(r);
		enter(r, REQUEST_RECEIVING);
		return;
	}
	wait_for(r, r->intake->receiving, &r->charge->receiving, first_step(r), REQUEST_QUEUED);
}

static void queued_no_more(struct request *r)
{
	if (!r->granted) {
		put_off_busy(r);
		begin_refused(r);
		return;
	}
	enter(r, REQUEST_RECEIVING);
}

bool request_take_memory(struct request *r, uint64_t bytes)
{
	assert(r->charge && r->charge->working == 0);
	if (budget_try(r->intake->working, bytes) == 0) {
		r->charge->working = bytes;
		return true;
	}
	wait_for(r, r->intake->working, &r->charge->working, bytes, REQUEST_HELD);
	return false;
}

static void held_no_more(struct request *r)
{
	enter(r, REQUEST_WORKING);
	if (r->granted) {
		r->route->run(r);
		return;
	}
	put_off_busy(r);
	request_answer(r, NULL, NULL);
}

/* --- the body --- */

static void discard(struct request *r, size_t len)
{
	buf_free(&r->body);
	r->discarded += len;
	if (r->discarded > DISCARD_FACTOR * atomic_load(&r->intake->max_batch))
		http_drop(r->x);
}

/* True when `len` more bytes are charged. */
static bool charge_body(struct request *r, size_t len)
{
	if (!r->charge || r->body.len + len <= r->charge->receiving)
		return true;
	uint64_t more = len > RECEIVE_STEP ? len : RECEIVE_STEP;
	if (budget_take_more(r->intake->receiving, more) < 0)
		return false;
	r->charge->receiving += more;
	return true;
}

static int reserve_body(struct request *r, size_t len)
{
	/* Untouched memory costs nothing, so the announced size is asked for at once, and no more
	 * than it. */
	if (r->body.cap == 0 && r->announced != HTTP_LENGTH_UNKNOWN) {
		r->body.max = (size_t)r->announced;
		return buf_reserve(&r->body, (size_t)r->announced);
	}
	return buf_reserve(&r->body, len);
}

static void on_body(struct http_exchange *x, struct span piece)
{
	struct request *r = http_user(x);
	if (!r->refusal.status && r->body.len + piece.len > body_max(r))
		request_refuse(r, 413, "the body has more than %" PRIu64 " bytes", body_max(r));
	if (!r->refusal.status && !charge_body(r, piece.len))
		put_off_busy(r);
	if (!r->refusal.status &&
	    (reserve_body(r, piece.len) < 0 || buf_add_span(&r->body, piece) < 0))
		request_put_off(r, 503, BUSY_RETRY_S, "the collector is short of memory");
	if (r->refusal.status)
		discard(r, piece.len);
}

/* --- the handler --- */

static void on_begin(void *user, struct http_exchange *x)
{
	struct request *r = calloc(1, sizeof(*r));
	if (!r) {
		http_drop(x);
		return;
	}
	r->state = REQUEST_ARRIVING;
	r->intake = user;
	r->x = x;
	r->announced = http_content_length(x);
	http_set_user(x, r);
	check_header(r);
	if (r->refusal.status)
		begin_refused(r);
	else
		begin_receiving(r);
}

static void on_end(struct http_exchange *x)
{
	struct request *r = http_user(x);
	enter(r, REQUEST_WORKING);
	if (r->refusal.status)
		send_refusal(r);
	else
		r->route->run(r);
}

static void on_resumed(struct http_exchange *x)
{
	struct request *r = http_user(x);
	switch (r->state) {
	case REQUEST_QUEUED: queued_no_more(r); return;
	case REQUEST_HELD: held_no_more(r); return;
	case REQUEST_SUBMITTED:
		enter(r, REQUEST_WORKING);
		r->route->go_on(r);
		return;
	case REQUEST_ARRIVING:
	case REQUEST_RECEIVING:
	case REQUEST_WORKING:
	case REQUEST_ANSWERED: break;
	}
	assert(false && "resumed without having been suspended");
}

void request_submit(struct request *r)
{
	enter(r, REQUEST_SUBMITTED);
	http_suspend(r->x);
}

void request_go_on(struct request *r)
{
	http_resume(r->x);
}

static void on_gone(struct http_exchange *x)
{
	struct request *r = http_user(x);
	if (!r)
		return;
	if (r->state != REQUEST_ANSWERED)
		meters_add(&r->intake->meters.dropped, 1);
	if (r->own && r->route->forget)
		r->route->forget(r);
	if (r->pass)
		door_return(r->intake->door);
	charge_release(r->charge);
	buf_free(&r->body);
	free(r);
}

const struct http_handler request_handler = {
	.begin = on_begin,
	.body = on_body,
	.end = on_end,
	.resumed = on_resumed,
	.gone = on_gone,
};
