/* What the collector's answer to a batch means for its sources: commit, rewind, cut smaller, loss,
 * resync. Called by the uplink (or the ferry), as the shipper has told it. */
#include "agent/ship/shipper_parts.h"

#include "agent/ship/rewind.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"

#include <inttypes.h>

enum {
	GROWTH_MAX = 8,      /* a batch grows up to so many times batch_bytes when there is a
			   backlog */
	CEILING_ACKS = 128,  /* acknowledged batches until a size that was too large is
				tried again */
	SMALLEST_TARGET = 1, /* a batch always takes at least one line */
};

#define PUT_OFF_NS NUM_SEC_NS /* after an answer by which nothing went on */
void shipper_rewind(struct shipper *s)
{
	s->counters.rewinds++;
	rewind_batches(s->table, s->flying, s->filling);
	if (s->flying)
		batcher_reset(s->flying);
	s->flying = NULL;
	batcher_reset(s->filling);
}

/* The chunk of this source in the batch in flight that ends where the collector stands; NULL:
 * none. */
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

/* The collector will never take this chunk as it is: it is halved down to the line that offends,
 * and that line becomes a loss, so that its stream goes on. */
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

void shipper_on_verdict(void *user, size_t index, const struct chunk_verdict *v)
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
		/* After an answer that was lost, the collector may stand behind a later chunk
		 * already. */
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

void shipper_on_answered(void *user)
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
		shipper_rewind(s);
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

void shipper_on_too_large(void *user, const char *why)
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
	shipper_rewind(s);
	s->rewind = false;
}
