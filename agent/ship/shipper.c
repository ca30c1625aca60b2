/* The shipper: see shipper.h. Called by the agent's loop.
 *
 * Invariants: at most one batch is in flight, so no stream has two unanswered ones. For each source
 * with chunks in the two batches, these chunks follow each other without a gap from committed to
 * cursor. A batch's memory is reused only after its verdict.
 *
 * Whatever is not a plain commit ends in `rewind_batches`: the bytes of both batches go back to
 * their sources, their cursors back to committed, and the flow begins again. That costs a batch of
 * work and happens rarely; in return there is one path for conflicts, refusals, batches that are
 * too large and sessions that are over, and none of them can leave a gap. */
#include "agent/ship/shipper.h"

#include "agent/ship/shipper_parts.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/num.h"

#include <errno.h>
#include <stdlib.h>

#define RETRY_NS (100 * NUM_MS_NS) /* after memory was short */
#define REST_NS  (10 * NUM_SEC_NS) /* so often unused memory is given back, until nothing is used */

/* May another thread have batches for this one's uplink? */
static bool has_guests(const struct shipper *s)
{
	return s->uplink && s->config.ferry;
}

/* --- the collector's streams --- */

static void on_collector(void *user, const char *uuid)
{
	struct shipper *s = user;
	int r = registry_set_collector_uuid(s->registry, uuid);
	if (r < 0)
		log_warning("the collector's identity cannot be kept: %s; it is asked "
			    "again after a restart",
			    strerror(-r));
	log_info("this agent's collector is %s", uuid);
}

static void on_keeps(void *user, int64_t keeps_ns)
{
	struct shipper *s = user;
	discover_keeps(s->discover, keeps_ns);
	if (has_guests(s))
		ferry_keeps(s->config.ferry, keeps_ns);
}

static void on_row(void *user, const struct stream_row *row)
{
	struct shipper *s = user;
	char path[CHUNK_PATH_MAX + 1];
	struct span p = row->path;
	p.len = p.len < CHUNK_PATH_MAX ? p.len : CHUNK_PATH_MAX;
	if (p.len)
		memcpy(path, p.ptr, p.len);
	path[p.len] = '\0';
	if (has_guests(s) && wanted_is_far(&s->config.wanted, path))
		ferry_row(s->config.ferry, row);
	else if (!journals_row(s->journals, row))
		discover_row(s->discover, row);
}

static void on_rows_end(void *user)
{
	struct shipper *s = user;
	/* Sources may be told to go on elsewhere: nothing is on its way then, and what was cut
	 * before goes back. */
	if (!batcher_empty(s->filling))
		shipper_rewind(s);
	discover_rows_end(s->discover);
	journals_rows_end(s->journals);
	if (has_guests(s))
		ferry_rows_end(s->config.ferry);
}

/* What the other thread has handed over is not on its way any more. */
static void lose_guest(struct shipper *s)
{
	s->guest = false;
	if (has_guests(s))
		ferry_lost(s->config.ferry);
}

static void on_session_lost(void *user)
{
	struct shipper *s = user;
	shipper_rewind(s);
	lose_guest(s);
}

/* --- making and moving on --- */

static enum uplink_state way_state(const void *self)
{
	return uplink_state(self);
}

static const char *way_problem(const void *self)
{
	return uplink_problem(self);
}

static void way_send(void *self, struct span body)
{
	uplink_send(self, body);
}

static void way_resync(void *self)
{
	uplink_resync(self);
}

static void way_tick(void *self, int64_t now_ns)
{
	uplink_tick(self, now_ns);
}

static int64_t way_next_ns(const void *self)
{
	return uplink_next_ns(self);
}

static void use_uplink(struct shipper *s, struct uplink *u)
{
	s->uplink = u;
	s->way = (struct way){way_state, way_problem, way_send, way_resync,
			      way_tick,  way_next_ns, u};
}

/* Where it is made; *ret stays NULL when the uplink is the other thread's. */
static int make_way(struct shipper *s, const struct shipper_config *config, struct uplink **ret)
{
	const struct uplink_calls calls = {
		.collector = on_collector,
		.keeps = on_keeps,
		.row = on_row,
		.rows_end = on_rows_end,
		.verdict = shipper_on_verdict,
		.answered = shipper_on_answered,
		.too_large = shipper_on_too_large,
		.session_lost = on_session_lost,
		.user = s,
	};
	if (!config->far)
		return uplink_new(&config->uplink, &calls, ret);
	s->way = ferry_way(config->ferry, &calls);
	return 0;
}

int shipper_new(const struct shipper_config *config, struct source_table *t, struct registry *r,
		struct discover *d, struct journals *j, struct shipper **ret)
{
	struct shipper *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	*s = (struct shipper){
		.config = *config,
		.table = t,
		.registry = r,
		.discover = d,
		.journals = j,
		.filling = &s->batches[0],
		.target = config->batch_bytes,
		.rest_due_ns = clock_mono_ns() + REST_NS,
	};
	int e = batcher_init(&s->batches[0], config->arena_bytes / 2);
	if (e == 0)
		e = batcher_init(&s->batches[1], config->arena_bytes / 2);
	if (e == 0)
		e = pump_new(t, config->uplink.host, &s->pump);
	struct uplink *uplink = NULL;
	if (e == 0)
		e = make_way(s, config, &uplink);
	if (e < 0) {
		shipper_free(s);
		return e;
	}
	if (uplink)
		use_uplink(s, uplink);
	*ret = s;
	return 0;
}

void shipper_free(struct shipper *s)
{
	if (!s)
		return;
	uplink_free(s->uplink);
	pump_free(s->pump);
	batcher_free(&s->batches[0]);
	batcher_free(&s->batches[1]);
	losses_free(&s->losses);
	free(s);
}

int shipper_prepare(struct shipper *s, const struct shipper_config *config, struct uplink **ret)
{
	return make_way(s, config, ret);
}

void shipper_switch(struct shipper *s, const struct shipper_config *config, struct uplink *uplink)
{
	shipper_rewind(s);
	uplink_free(s->uplink);
	use_uplink(s, uplink);
	lose_guest(s);
	s->config = *config;
	s->target = config->batch_bytes;
	s->ceiling = 0;
}

int shipper_wait(struct shipper *s, struct curl_waitfd *fds, unsigned n, int64_t timeout_ns)
{
	return uplink_wait(s->uplink, fds, n, timeout_ns);
}

void shipper_set_ferry(struct shipper *s, struct ferry *ferry)
{
	s->config.ferry = ferry;
}

static bool due(const struct shipper *s, int64_t now_ns)
{
	const struct batcher *b = s->filling;
	if (batcher_empty(b) || now_ns < s->due_ns)
		return false;
	return s->finishing || batcher_full(b) || now_ns - b->opened_ns >= s->config.batch_delay_ns;
}

static void send(struct shipper *s)
{
	struct batcher *b = s->filling;
	for (size_t i = 0; i < b->n_chunks; i++) {
		if (!b->chunks[i].source->announced) {
			registry_announce(s->registry);
			break;
		}
	}
	if (batcher_finish(b) < 0) {
		shipper_rewind(s); /* memory is short: from the files again, later */
		return;
	}
	s->flying = b;
	s->verdicts = 0;
	if (s->rest_due_ns == INT64_MAX)
		s->rest_due_ns = clock_mono_ns() + REST_NS;
	s->filling = b == &s->batches[0] ? &s->batches[1] : &s->batches[0];
	s->way.send(s->way.self, buf_span(&b->body));
	s->guest_next = true;
}

/* Sends a batch of the other thread when it is their turn, or nothing else is due. */
static bool send_guest(struct shipper *s, bool own_due)
{
	struct span body;
	if (!has_guests(s) || (own_due && !s->guest_next))
		return false;
	if (ferry_wants_resync(s->config.ferry)) {
		uplink_resync(s->uplink);
		return true;
	}
	if (!ferry_take(s->config.ferry, &body))
		return false;
	s->guest = true;
	s->guest_next = false;
	uplink_send(s->uplink, body);
	return true;
}

/* Between a session and the end of its listing positions may change under a batch: nothing is cut
 * then. */
static bool may_fill(const struct shipper *s)
{
	enum uplink_state state = s->way.state(s->way.self);
	return !s->finishing &&
	       (state == UPLINK_READY || state == UPLINK_SENDING || state == UPLINK_REPORTING);
}

static void rest(struct shipper *s, int64_t now_ns)
{
	bool first = batcher_rest(&s->batches[0]), second = batcher_rest(&s->batches[1]);
	s->rest_due_ns = first || second ? now_ns + REST_NS : INT64_MAX;
	/* Also once when it never comes to rest: what the start took. */
	if (s->rest_due_ns == INT64_MAX || !s->rested)
		memory_rest();
	s->rested = true;
}

/* Files come, go and change their names while others are read. */
static void fill(struct shipper *s)
{
	while (pump_turn(s->pump, s->filling))
		discover_glance(s->discover, clock_mono_ns());
}

static void fill_and_send(struct shipper *s)
{
	for (;;) {
		if (batcher_empty(s->filling))
			s->filling->crowded = false;
		s->filling->payload_max = s->target;
		if (may_fill(s))
			fill(s);
		if (s->flying || s->way.state(s->way.self) != UPLINK_READY)
			return;
		bool own_due = due(s, clock_mono_ns());
		if (send_guest(s, own_due) || !own_due)
			return;
		send(s);
	}
}

void shipper_tick(struct shipper *s, int64_t now_ns)
{
	s->way.tick(s->way.self, now_ns);
	if (now_ns >= s->rest_due_ns)
		rest(s, now_ns);
	fill_and_send(s);
	discover_look_at_unread(s->discover, clock_mono_ns());
}

int64_t shipper_next_ns(const struct shipper *s)
{
	int64_t next = s->way.next_ns(s->way.self);
	next = s->rest_due_ns < next ? s->rest_due_ns : next;
	if (may_fill(s)) {
		int64_t pump_ns = pump_next_ns(s->pump);
		next = pump_ns < next ? pump_ns : next;
	}
	if (!s->flying && !batcher_empty(s->filling) && s->way.state(s->way.self) == UPLINK_READY) {
		int64_t due_ns = s->filling->opened_ns + s->config.batch_delay_ns;
		due_ns = s->due_ns > due_ns ? s->due_ns : due_ns;
		next = due_ns < next ? due_ns : next;
	}
	if (batcher_empty(s->filling) && s->filling->crowded) {
		int64_t retry_ns = clock_mono_ns() + RETRY_NS;
		next = retry_ns < next ? retry_ns : next;
	}
	return next;
}

void shipper_finish(struct shipper *s)
{
	s->finishing = true;
}

bool shipper_finished(const struct shipper *s)
{
	enum uplink_state state = s->way.state(s->way.self);
	return (!s->flying && !s->guest && batcher_empty(s->filling)) ||
	       s->way.problem(s->way.self) != NULL ||
	       (state != UPLINK_READY && state != UPLINK_SENDING && state != UPLINK_REPORTING);
}

const struct uplink *shipper_uplink(const struct shipper *s)
{
	return s->uplink;
}

const struct losses *shipper_losses(const struct shipper *s)
{
	return &s->losses;
}

void shipper_counters(const struct shipper *s, struct shipper_counters *ret)
{
	*ret = s->counters;
	memcpy(ret->lost, s->losses.sums, sizeof(ret->lost));
	ret->n_lost = s->losses.n_sums;
	pump_counters(s->pump, &ret->containers);
	ret->arena_used_bytes = s->batches[0].raw.len + s->batches[1].raw.len;
}
