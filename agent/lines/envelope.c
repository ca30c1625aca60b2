/* The container envelope: see envelope.h. Called by the pump, between frame and stamp.
 *
 * Invariants: between turns the memory of a source is either that of its cursor (`at` is the
 * cursor's offset) or is read again before it is used; an output has pieces in memory exactly when
 * it is open in the frame state and they are not lent to the file behind.
 *
 * Failure modes: memory is short (the turn is tried again); a line is not the runtime's (sent as it
 * stands, counted); pieces cannot be read again, for the file is gone or was cut (said aloud). */
#include "agent/lines/envelope.h"

#include "agent/files/elder.h"
#include "agent/lines/cri.h"
#include "agent/lines/docker.h"
#include "agent/lines/reread.h"
#include "common/clock.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define ASK_AGAIN_NS                                                                               \
	NUM_SEC_NS /* is an open line's turn to go, or that of the file behind it, come? */

struct pieces {
	struct buf text;
	int64_t time_us; /* of the first one */
	int64_t last_ns; /* when the last one came */
	bool lent;       /* the file behind this one has them: they are not here */
};

struct envelope {
	struct envelopes *all;
	struct source *source;
	struct pieces outputs[OUTPUTS];
	uint64_t at;           /* of the position that the memory belongs to; UINT64_MAX: none */
	struct list_node node; /* linked: something is open; by due_ns */
	int64_t due_ns;
};

struct envelopes {
	struct source_table *table;
	struct list open;   /* the first is due first */
	struct buf scratch; /* a line, decoded */
	struct buf given;   /* the message that was given last */
	uint64_t held_bytes;
	struct envelopes_counters counters;
	struct log_gate malformed_gate;
};

int envelopes_new(struct source_table *t, struct envelopes **ret)
{
	struct envelopes *all = calloc(1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	all->table = t;
	list_init(&all->open);
	*ret = all;
	return 0;
}

void envelopes_free(struct envelopes *all)
{
	if (!all)
		return;
	for (struct source *s = source_first(all->table); s; s = source_after(all->table, s)) {
		envelope_free(s->envelope);
		s->envelope = NULL;
	}
	buf_free(&all->scratch);
	buf_free(&all->given);
	free(all);
}

static void clear(struct envelope *e, int output)
{
	struct pieces *p = &e->outputs[output];
	e->all->held_bytes -= p->text.len;
	buf_free(&p->text);
	p->lent = false;
}

void envelope_free(struct envelope *e)
{
	if (!e)
		return;
	for (int i = 0; i < OUTPUTS; i++)
		clear(e, i);
	list_remove(&e->node);
	free(e);
}

static bool output_open(const struct output_state *o)
{
	return o->open_from != UINT64_MAX || o->heir == HEIR_OPEN;
}

bool envelope_open(const struct frame_state *f)
{
	return output_open(&f->outputs[0]) || output_open(&f->outputs[1]);
}

/* --- when --- */

/* At that time the source gets a turn. Times come nearly in order, so that the way from the list's
 * end is short. */
static void set_due(struct envelope *e, int64_t due_ns)
{
	struct list_node *before = &e->all->open.head;
	list_remove(&e->node);
	e->due_ns = due_ns;
	for (struct list_node *n = list_last(&e->all->open); n; n = list_prev(&e->all->open, n)) {
		if (LIST_ENTRY(n, struct envelope, node)->due_ns <= due_ns) {
			before = n;
			break;
		}
	}
	list_insert_after(before, &e->node);
}

void envelopes_tick(struct envelopes *all, int64_t now_ns)
{
	while (envelopes_next_ns(all) <= now_ns) {
		struct envelope *e = LIST_ENTRY(list_first(&all->open), struct envelope, node);
		source_set_ready(all->table, e->source);
		set_due(e, now_ns + ASK_AGAIN_NS);
	}
}

int64_t envelopes_next_ns(const struct envelopes *all)
{
	struct list_node *n = list_first(&all->open);
	return n ? LIST_ENTRY(n, struct envelope, node)->due_ns : INT64_MAX;
}

/* --- pieces --- */

static int add(struct envelope *e, const struct container_line *l)
{
	struct pieces *p = &e->outputs[l->output];
	if (!p->text.len)
		p->time_us = l->time_us;
	int r = buf_add_span(&p->text, l->text);
	if (r < 0)
		return r;
	e->all->held_bytes += l->text.len;
	p->last_ns = clock_mono_ns();
	e->at = UINT64_MAX;
	if (!list_linked(&e->node))
		set_due(e, p->last_ns + ENVELOPE_AGE_NS);
	return 0;
}

/* What is held of an output becomes the message. */
static void give(struct envelope *e, struct frame_state *f, int output, bool ended,
		 struct envelope_message *ret)
{
	struct pieces *p = &e->outputs[output];
	struct output_state *o = &f->outputs[output];
	struct envelopes *all = e->all;
	buf_free(&all->given);
	all->held_bytes -= p->text.len;
	all->given = p->text;
	e->at = UINT64_MAX;
	p->text = BUF_EMPTY;
	*ret = (struct envelope_message){
		.text = buf_span(&all->given),
		.time_us = p->time_us,
		.output = (uint8_t)output,
		.ended = ended,
	};
	o->open_from = UINT64_MAX;
	if (o->heir == HEIR_OPEN)
		o->heir = HEIR_DONE;
}

/* --- lines --- */

static int decode(struct envelope *e, struct span line, bool clean, struct container_line *ret)
{
	int r = e->source->input->type == INPUT_DOCKER
			? docker_decode(line, clean, &e->all->scratch, ret)
			: cri_decode(line, clean, ret);
	if (r == 0 && ret->time_us < 0)
		ret->time_us = INT64_MIN; /* a clock that was never set */
	return r;
}

/* Not the runtime's: it goes as it stands. One that is longer than can be read at once, or that has
 * no LF, does so in parts. */
static void take_odd(struct envelope *e, struct frame_state *f, const struct frame_line *line,
		     uint64_t at, struct envelope_message *ret)
{
	if (!f->in_part) {
		e->all->counters.malformed_lines++;
		log_gated(&e->all->malformed_gate, LOG_LEVEL_WARNING,
			  "%s: the line at byte %" PRIu64
			  " is not one of a container log: it is sent as it stands",
			  e->source->path, at);
	}
	*ret = (struct envelope_message){
		.text = line->text,
		.time_us = INT64_MIN,
		.clean = line->clean,
		.ended = line->ended,
		.alone = line->ended && !f->in_part,
	};
	f->in_part = !line->ended;
}

int envelope_take(struct source *s, struct frame_state *f, const struct frame_line *line,
		  uint64_t at, struct envelope_message *ret)
{
	struct envelope *e = s->envelope;
	struct container_line l;
	if (f->at_lf) {
		f->at_lf = false;
		return 0;
	}
	int r = f->in_part || !line->ended ? -EBADMSG : decode(e, line->text, line->clean, &l);
	if (r == -EBADMSG) {
		take_odd(e, f, line, at, ret);
		return 1;
	}
	if (r < 0)
		return r;
	struct output_state *o = &f->outputs[l.output];
	bool open = output_open(o);
	if (!open && !l.partial) {
		*ret = (struct envelope_message){l.text, l.time_us, l.output, l.clean, true, false};
		return 1;
	}
	if (!open && !l.text.len)
		return 0; /* a piece of nothing */
	r = add(e, &l);
	if (r < 0)
		return r;
	if (o->open_from == UINT64_MAX)
		o->open_from = at;
	bool too_much = e->outputs[l.output].text.len > ENVELOPE_LINE_MAX ||
			e->all->held_bytes > ENVELOPE_ALL_MAX;
	if (l.partial && !too_much)
		return 0;
	give(e, f, l.output, !l.partial, ret);
	return 1;
}

/* --- what goes out as it is --- */

enum fate { FATE_WAIT, FATE_GO, FATE_DROP };

/* What becomes of the open pieces of an output that are old or at the file's end? */
static enum fate decide_fate(struct envelope *e, int output, int64_t now_ns)
{
	struct source_table *t = e->all->table;
	const struct source *heir = elder_heir(t, e->source);
	if (!heir) {
		bool patient = now_ns - e->outputs[output].last_ns < ELDER_CONTAINER_PATIENCE_NS;
		return patient && elder_may_have_heir(t, e->source) ? FATE_WAIT : FATE_GO;
	}
	switch (heir->cursor.frame.outputs[output].heir) {
	case HEIR_UNDECIDED:
	case HEIR_NO: return FATE_GO;
	case HEIR_OPEN: return FATE_WAIT;
	case HEIR_DONE: break;
	}
	return heir->committed.frame.outputs[output].heir == HEIR_DONE ? FATE_DROP : FATE_WAIT;
}

static void forget(struct envelope *e, struct output_state *o, int output)
{
	clear(e, output);
	e->at = UINT64_MAX;
	o->open_from = UINT64_MAX;
	if (o->heir == HEIR_OPEN)
		o->heir = HEIR_DONE;
}

int envelope_flush(struct source *s, struct frame_state *f, bool last, struct envelope_message *ret)
{
	struct envelope *e = s->envelope;
	int64_t now_ns = clock_mono_ns();
	for (int i = 0; i < OUTPUTS; i++) {
		if (!output_open(&f->outputs[i]) ||
		    (!last && now_ns - e->outputs[i].last_ns < ENVELOPE_AGE_NS))
			continue;
		switch (decide_fate(e, i, now_ns)) {
		case FATE_WAIT: break;
		case FATE_DROP: forget(e, &f->outputs[i], i); break;
		case FATE_GO:
			if (e->outputs[i].lent) {
				e->at = UINT64_MAX; /* they are read again first */
				break;
			}
			give(e, f, i, false, ret);
			return 1;
		}
	}
	return 0;
}

void envelope_drop(struct source *s, struct frame_state *f)
{
	f->at_lf = false;
	for (int i = 0; i < OUTPUTS; i++) {
		struct output_state *o = &f->outputs[i];
		if (o->heir == HEIR_OPEN)
			o->heir = HEIR_NO; /* the file before has its pieces still */
		if (output_open(o))
			forget(s->envelope, o, i);
	}
}

/* --- turns --- */

static void say_lost(struct envelope *e, int output, const char *why)
{
	struct source *s = e->source;
	struct output_state *o = &s->cursor.frame.outputs[output];
	e->all->counters.lost_pieces++;
	log_warning("%s: the beginning of an unfinished line of std%s, before byte %" PRIu64
		    ", cannot be read again: %s; the line goes on without it",
		    s->path, output ? "err" : "out", s->cursor.offset, why);
	forget(e, o, output);
}

/* A line between the first open piece and the cursor. */
static int take_again(void *user, struct span line, uint64_t at)
{
	struct envelope *e = user;
	struct container_line l;
	int r = decode(e, line, false, &l);
	if (r == -EBADMSG)
		return 0;
	if (r < 0)
		return r;
	if (!l.partial || e->source->cursor.frame.outputs[l.output].open_from > at)
		return 0;
	return add(e, &l);
}

/* Nothing will bring back the bytes behind the cursor. */
static bool is_over(const struct source *s)
{
	return s->cut || s->lost_to > s->lost_from || s->state == SOURCE_DRAINED;
}

static int read_again(struct envelope *e)
{
	struct source *s = e->source;
	const struct output_state *o = s->cursor.frame.outputs;
	uint64_t from = o[0].open_from < o[1].open_from ? o[0].open_from : o[1].open_from;
	if (from == UINT64_MAX)
		return 0;
	int r = from < s->cursor.offset
			? reread_lines(e->all->table, s, from, s->cursor.offset, take_again, e)
			: -ENODATA;
	if (r < 0 && (r == -ENODATA || is_over(s))) {
		for (int i = 0; i < OUTPUTS; i++)
			if (o[i].open_from != UINT64_MAX)
				say_lost(e, i, "its bytes are gone");
		r = 0;
	}
	return r;
}

/* The file before this one, as it says itself, or, when nothing of it was read yet, as their order
 * says. */
static struct source *find_before(struct envelope *e)
{
	const struct frame_state *f = &e->source->cursor.frame;
	if (f->outputs[0].heir == HEIR_UNDECIDED)
		return elder_before(e->all->table, e->source);
	return f->has_before ? source_by_id(e->all->table, &f->before) : NULL;
}

/* The pieces of an output that the file before has left open become those of this one. */
static void inherit(struct envelope *e, struct source *before, int output)
{
	struct output_state *o = &e->source->cursor.frame.outputs[output];
	struct pieces *from = before ? &before->envelope->outputs[output] : NULL;
	struct pieces *p = &e->outputs[output];
	if (o->heir != HEIR_OPEN && o->heir != HEIR_UNDECIDED)
		return;
	if (!before || !output_open(&before->cursor.frame.outputs[output])) {
		if (o->heir == HEIR_OPEN)
			say_lost(e, output, "the file before this one is gone");
		o->heir = o->heir == HEIR_OPEN ? HEIR_DONE : HEIR_NO;
		return;
	}
	o->heir = HEIR_OPEN;
	p->text = from->text;
	p->time_us = from->time_us;
	p->last_ns = clock_mono_ns();
	from->text = BUF_EMPTY;
	from->lent = true;
}

/* Has the file before this one the pieces of an open line in memory? 1, 0; -EAGAIN: it is to be
 * found first. */
static int prepare(struct envelope *e, struct source *before)
{
	const struct envelope *b = before->envelope;
	if (!envelope_open(&before->cursor.frame))
		return 0;
	if (b && (b->outputs[0].lent || b->outputs[1].lent))
		before->envelope->at = UINT64_MAX; /* what it had lent is gone */
	int r = envelope_begin(e->all, before);
	if (r == -ENOMEM || r == 0)
		return r == 0 ? 1 : r;
	return elder_is_worth_waiting_for(e->source, before, clock_mono_ns()) ? -EAGAIN : 0;
}

/* Gets what the file before this one has left open. */
static int read_heritage(struct envelope *e)
{
	struct source *s = e->source;
	struct frame_state *f = &s->cursor.frame;
	bool undecided = f->outputs[0].heir == HEIR_UNDECIDED;
	if (undecided && s->cursor.offset == s->start && f->first_us == INT64_MIN)
		return 0; /* no line is there that could go anything on */
	if (!undecided && f->outputs[0].heir != HEIR_OPEN && f->outputs[1].heir != HEIR_OPEN)
		return 0;
	struct source *before = find_before(e);
	int r = before ? prepare(e, before) : 0;
	if (r < 0)
		return r;
	for (int i = 0; i < OUTPUTS; i++)
		inherit(e, r > 0 ? before : NULL, i);
	if (undecided && r > 0) {
		f->before = before->id;
		f->has_before = true;
	}
	return 0;
}

int envelope_begin(struct envelopes *all, struct source *s)
{
	struct envelope *e = s->envelope;
	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			return -ENOMEM;
		*e = (struct envelope){.all = all, .source = s, .at = UINT64_MAX};
		s->envelope = e;
	}
	bool undecided = s->cursor.frame.outputs[0].heir == HEIR_UNDECIDED;
	if (e->at != s->cursor.offset || undecided) {
		e->at = UINT64_MAX;
		for (int i = 0; i < OUTPUTS; i++)
			clear(e, i);
		int r = read_heritage(e);
		if (r == 0)
			r = read_again(e);
		if (r < 0)
			return r;
	}
	if (envelope_open(&s->cursor.frame) && !list_linked(&e->node))
		set_due(e, clock_mono_ns() + ENVELOPE_AGE_NS);
	e->at = s->cursor.offset;
	return 0;
}

void envelope_end(struct source *s, const struct position *to)
{
	struct envelope *e = s->envelope;
	e->at = to->offset;
	if (!envelope_open(&to->frame))
		list_remove(&e->node);
}

void envelopes_counters(const struct envelopes *all, struct envelopes_counters *ret)
{
	*ret = all->counters;
	ret->held_bytes = all->held_bytes;
}
