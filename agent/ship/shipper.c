/* The shipper: see shipper.h. Called by the agent's loop.
 *
 * Invariants: at most one batch is in flight, so no stream has two unanswered ones. For
 * each source with chunks in the two batches, these chunks follow each other without a
 * gap from committed to cursor. A batch's memory is reused only after its verdict.
 *
 * Whatever is not a plain commit ends in `rewind_all`: the bytes of both batches go back
 * to their sources, their cursors back to committed, and the flow begins again. That
 * costs a batch of work and happens rarely; in return there is one path for conflicts,
 * refusals, batches that are too large and sessions that are over, and none of them can
 * leave a gap. */
#include "agent/ship/shipper.h"

#include "agent/ship/batcher.h"
#include "agent/ship/pump.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
	GROWTH_MAX = 8,      /* a batch grows up to so many times batch_bytes when there is a
			   backlog */
	CEILING_ACKS = 128,  /* acknowledged batches until a size that was too large is
				tried again */
	SMALLEST_TARGET = 1, /* a batch always takes at least one line */
};

#define RETRY_NS   (100 * NUM_MS_NS) /* after memory was short */
#define PUT_OFF_NS NUM_SEC_NS        /* after an answer by which nothing went on */
#define REST_NS    (10 * NUM_SEC_NS) /* so often unused memory is given back, until nothing is used */

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

/* May another thread have batches for this one's uplink? */
static bool has_guests(const struct shipper *s)
{
	return s->uplink && s->config.ferry;
}

/* --- rewinding
 * --------------------------------------------------------------------------------------
 */

/* Appends what one batch holds of a source behind *next; false when there is a gap (a
 * hole or a loss has no bytes), behind which everything comes from the file again. */
static bool gather(const struct batcher *b, const struct source *src, uint64_t *next,
		   struct buf *raw)
{
	for (size_t i = 0; b && i < b->n_chunks; i++) {
		const struct batcher_chunk *c = &b->chunks[i];
		if (c->source != src || c->from.offset < *next)
			continue;
		if (c->from.offset != *next || c->raw_len != c->to.offset - c->from.offset)
			return false;
		if (buf_add(raw, b->raw.ptr + c->raw_at, c->raw_len) < 0)
			return false;
		*next = c->to.offset;
	}
	return true;
}

/* What chunks without bytes had said is to be said again. */
static void retell(struct source_table *table, const struct batcher *b, struct source *src)
{
	for (size_t i = 0; b && i < b->n_chunks; i++) {
		const struct batcher_chunk *c = &b->chunks[i];
		if (c->source != src || c->from.offset < src->committed.offset)
			continue;
		if (c->lost_cause && src->lost_from == src->lost_to) {
			src->lost_from = c->from.offset;
			src->lost_to = c->to.offset;
			src->lost_cause = c->lost_cause;
		}
		if (c->ended && src->state == SOURCE_ENDING)
			source_move(table, src, SOURCE_DRAINED);
	}
}

static void rewind_source(struct shipper *s, struct source *src)
{
	struct buf raw = BUF_EMPTY;
	uint64_t next = src->committed.offset;
	if (gather(s->flying, src, &next, &raw))
		(void)gather(s->filling, src, &next, &raw);
	int r = source_rewind(s->table, src, buf_span(&raw));
	if (r < 0) /* memory is short: the bytes come from the file */
		r = source_rewind(s->table, src, (struct span){NULL, 0});
	assert(r == 0);
	retell(s->table, s->flying, src);
	retell(s->table, s->filling, src);
	source_set_ready(s->table, src);
	buf_free(&raw);
}

static void rewind_batch(struct shipper *s, const struct batcher *b)
{
	for (size_t i = 0; b && i < b->n_chunks; i++) {
		struct source *src = b->chunks[i].source;
		/* One that was rewound already, or that is all committed, has nothing
		 * between the two. */
		if (src->cursor.offset != src->committed.offset || b->chunks[i].ended)
			rewind_source(s, src);
	}
}

/* The two batches are given up; everything that is not committed begins again. */
static void rewind_all(struct shipper *s)
{
	s->counters.rewinds++;
	rewind_batch(s, s->flying);
	rewind_batch(s, s->filling);
	if (s->flying)
		batcher_reset(s->flying);
	s->flying = NULL;
	batcher_reset(s->filling);
}

/* --- verdicts
 * ---------------------------------------------------------------------------------------
 */

/* The chunk of this source in the batch in flight that ends where the collector stands;
 * NULL: none. */
static const struct batcher_chunk *
chunk_ending_at(const struct shipper *s, const struct source *src, const struct chunk_verdict *v)
{
	for (size_t i = 0; i < s->flying->n_chunks; i++) {
		const struct batcher_chunk *c = &s->flying->chunks[i];
		if (c->source == src && c->to.offset == v->offset && c->to.crc == v->crc)
			return c;
	}
	return NULL;
}

static void commit(struct shipper *s, const struct batcher_chunk *c)
{
	struct source *src = c->source;
	src->born = true;
	if (c->to.offset > src->committed.offset || c->from.offset == c->to.offset)
		source_commit(s->table, src, &c->to);
	if (c->lost_cause) {
		s->counters.losses++;
		s->counters.lost_bytes += c->to.offset - c->from.offset;
		src->lost_bytes += c->to.offset - c->from.offset;
		src->last_loss = c->lost_cause;
		losses_add(&s->losses, src->path, c->lost_cause, c->from.offset, c->to.offset);
		src->limit_bytes = 0;
	} else if (src->limit_bytes) {
		src->limit_bytes *= 2;
		if (src->limit_bytes > s->config.batch_bytes)
			src->limit_bytes = 0;
	}
	if (c->ended && src->state == SOURCE_ENDING)
		source_move(s->table, src, SOURCE_ENDED);
	registry_touch(s->registry, src);
}

/* The collector will never take this chunk as it is: it is halved down to the line that
 * offends, and that line becomes a loss, so that its stream goes on. */
static void on_refused(struct shipper *s, const struct batcher_chunk *c, const char *error)
{
	struct source *src = c->source;
	s->counters.refused++;
	s->rewind = true;
	if (c->from.offset != src->committed.offset)
		return; /* an earlier one of its chunks was not taken: that comes first */
	if (src->limit_bytes != SMALLEST_TARGET && c->lines + c->dropped > 1) {
		src->limit_bytes = (c->to.offset - c->from.offset) / 2;
		if (src->limit_bytes == 0)
			src->limit_bytes = SMALLEST_TARGET;
		return;
	}
	if (c->from.offset == c->to.offset)
		return;
	log_gated(&s->refused_gate, LOG_LEVEL_ERROR,
		  "%s: the collector refuses the line at bytes %" PRIu64 " to %" PRIu64
		  " (%s): it is recorded as a loss",
		  src->path, c->from.offset, c->to.offset, error ? error : "no reason given");
	src->lost_from = c->from.offset;
	src->lost_to = c->to.offset;
	src->lost_cause = "refused";
}

static void on_verdict(void *user, size_t index, const struct chunk_verdict *v)
{
	struct shipper *s = user;
	if (s->guest) {
		ferry_verdict(s->config.ferry, index, v);
		return;
	}
	s->verdicts = index + 1;
	if (index >= s->flying->n_chunks) {
		s->conflict = true;
		return;
	}
	const struct batcher_chunk *c = &s->flying->chunks[index], *reached;
	struct source *src = c->source;
	if (!stream_id_equal(&v->stream, &src->id)) {
		s->conflict = true;
		return;
	}
	switch (v->status) {
	case CHUNK_DUPLICATE: s->counters.duplicates++; /* fall through */
	case CHUNK_COMMITTED:
		/* After an answer that was lost, the collector may stand behind a later
		 * chunk already. */
		reached = c->to.offset == v->offset && c->to.crc == v->crc
				  ? c
				  : chunk_ending_at(s, src, v);
		s->went_on = true;
		if (reached)
			commit(s, c->to.offset <= reached->to.offset ? c : reached);
		else
			s->conflict = true;
		break;
	case CHUNK_CONFLICT:
		if (v->offset == src->committed.offset && v->crc == src->committed.crc) {
			s->rewind = true; /* behind one that was refused, or that is put off */
			s->put_off |= c->from.offset == v->offset;
		} else {
			s->conflict = true;
		}
		break;
	case CHUNK_REFUSED: on_refused(s, c, v->error); break;
	}
}

/* A backlog makes batches grow: one hot file is then not bound by the round trip. */
static void adapt_target(struct shipper *s)
{
	bool backlog = batcher_full(s->filling) && !batcher_empty(s->filling);
	uint64_t most = s->config.batch_bytes * GROWTH_MAX;
	if (s->ceiling && ++s->acks_at_ceiling >= CEILING_ACKS) {
		s->acks_at_ceiling = 0;
		s->ceiling = s->ceiling >= most ? 0 : s->ceiling * 2;
	}
	s->target = backlog ? s->target * 2 : s->config.batch_bytes;
	if (s->target > most)
		s->target = most;
	if (s->ceiling && s->target > s->ceiling)
		s->target = s->ceiling;
}

static void on_answered(void *user)
{
	struct shipper *s = user;
	if (s->guest) {
		s->guest = false;
		ferry_answered(s->config.ferry);
		return;
	}
	/* A chunk without a verdict stands nobody knows where. */
	bool conflict = s->conflict || s->verdicts != s->flying->n_chunks;
	if (conflict || s->rewind) {
		rewind_all(s);
	} else {
		batcher_reset(s->flying);
		s->flying = NULL;
		adapt_target(s);
	}
	if (s->put_off && !s->went_on)
		s->due_ns = clock_mono_ns() + PUT_OFF_NS;
	s->conflict = s->rewind = s->put_off = s->went_on = false;
	if (conflict) {
		s->counters.conflicts++;
		log_gated(&s->conflict_gate, LOG_LEVEL_NOTICE,
			  "the collector stands elsewhere than this agent believed: "
			  "asking for its streams");
		s->way.resync(s->way.self);
	}
}

static void on_too_large(void *user, const char *why)
{
	struct shipper *s = user;
	if (s->guest) {
		s->guest = false;
		ferry_too_large(s->config.ferry, why);
		return;
	}
	const struct batcher_chunk only = s->flying->chunks[0];
	bool smallest = s->flying->n_chunks == 1 && (only.lines + only.dropped <= 1 ||
						     only.source->limit_bytes == SMALLEST_TARGET);
	s->ceiling = s->flying->payload_bytes / 2 + SMALLEST_TARGET;
	s->acks_at_ceiling = 0;
	s->target = s->ceiling;
	if (smallest)
		on_refused(s, &only, why);
	else if (s->flying->n_chunks == 1)
		only.source->limit_bytes =
			(only.to.offset - only.from.offset) / 2 + SMALLEST_TARGET;
	rewind_all(s);
	s->rewind = false;
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
	rewind_all(s);
	lose_guest(s);
}

/* --- the collector's streams
 * ------------------------------------------------------------------------ */

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
	/* Sources may be told to go on elsewhere: nothing is on its way then, and what was cut before goes back. */
	if (!batcher_empty(s->filling))
		rewind_all(s);
	discover_rows_end(s->discover);
	journals_rows_end(s->journals);
	if (has_guests(s))
		ferry_rows_end(s->config.ferry);
}

/* --- making and moving on
 * --------------------------------------------------------------------------- */

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
		.verdict = on_verdict,
		.answered = on_answered,
		.too_large = on_too_large,
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
	rewind_all(s);
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
		rewind_all(s); /* memory is short: from the files again, later */
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

/* Between a session and the end of its listing positions may change under a batch:
 * nothing is cut then. */
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

void shipper_tick(struct shipper *s, int64_t now_ns)
{
	s->way.tick(s->way.self, now_ns);
	if (now_ns >= s->rest_due_ns)
		rest(s, now_ns);
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
