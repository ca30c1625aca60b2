/* The collector's streams against the files that are here: see discover_inside.h. Rows come one by
 * one while the uplink lists them; when all are there each source learns where it stands:
 *
 *     its row says what the registry says     it goes on
 *     its row is ahead or behind              it goes on there, if the file's bytes up to there have the
 *                                             row's checksum; else its file is another one: a new stream
 *     it has no row                           it begins: at 0, or, at the very first start, where its
 *                                             input says
 *     a row has no source                     a file with the same inode and birth time, or else the same
 *                                             path, takes it over if its bytes have the checksum; else it
 *                                             is MISSING, and copies of it are looked for. A file may be
 *                                             that of several rows (it was truncated; its name was
 *                                             another's before): they are tried in turn
 *
 * Bytes are compared a piece at a time between other work, and what is being compared is held: it
 * is not read meanwhile. The same happens when streams are listed again after a conflict; by then
 * the shipper has rewound its batches, so committed is cursor, and what has not been acknowledged
 * is in replay.
 *
 * Failure modes: the file cannot be read: tried again each second; it disappears meanwhile: the
 * source is MISSING, as the collector has it. */
#include "agent/files/discover_inside.h"

#include "agent/files/descriptor.h"
#include "agent/files/elder.h"
#include "agent/files/follow.h"
#include "agent/files/zreader.h"
#include "common/clock.h"
#include "common/crc64.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define STEP_BYTES (4 * 1024 * 1024) /* compared in one turn ... */
#define STEP_EVERY                                                                                 \
	(20 * NUM_MS_NS) /* ... each so long: a tenth of a second of CPU for a gigabyte */
#define TRY_AGAIN_NS NUM_SEC_NS
#define READ_BYTES   (128 * 1024)

struct check {
	struct check *next;
	struct source *source;
	struct row *rows; /* that may be it, ascending by likelihood: the last one is compared */
	size_t n_rows;
	bool adopt;   /* the source takes over the row's stream */
	uint64_t at;  /* compared up to here */
	uint64_t crc; /* of [row->at.base, at) */
};

static struct row *current(const struct check *c)
{
	return &c->rows[c->n_rows - 1];
}

static void drop_check(struct check *c)
{
	for (size_t i = 0; i < c->n_rows; i++)
		free(c->rows[i].texts);
	free(c->rows);
	free(c);
}

void settle_free(struct discover *d)
{
	rows_drop(d);
	for (struct check *c; (c = d->checks) != NULL;) {
		d->checks = c->next;
		drop_check(c);
	}
}

void settle_forget(struct discover *d, const struct source *s)
{
	for (struct check **at = &d->checks, *c; (c = *at) != NULL;) {
		if (c->source == s) {
			*at = c->next;
			drop_check(c);
		} else {
			at = &c->next;
		}
	}
}

/* --- comparing --- */

static void go_on(struct discover *d, struct source *s)
{
	s->held = false;
	elder_wake(d->table, s);
	if (s->state == SOURCE_NEW)
		names_begin(d, s);
	source_set_ready(d->table, s);
}

static bool same_position(const struct position *a, const struct position *b)
{
	return a->offset == b->offset && a->base == b->base && a->crc == b->crc;
}

/* Losses that the collector has been told of, as its offset says. */
static void forget_told(struct source *s)
{
	if (s->lost_to <= s->cursor.offset)
		s->lost_from = s->lost_to = 0;
	else if (s->lost_from < s->cursor.offset)
		s->lost_from = s->cursor.offset;
}

/* The source stands where the row says. What is in between and cannot be read any more is lost. */
static void place(struct discover *d, struct source *s, const struct row *row)
{
	uint64_t tail_at = s->tail_at;
	source_place(d->table, s, &row->at);
	s->start = row->start;
	s->born = true;
	if (s->cut && tail_at > s->tail_at) {
		s->lost_to = s->lost_to > tail_at ? s->lost_to : tail_at;
		s->lost_from = s->tail_at;
		s->lost_cause = s->cut_cause ? s->cut_cause : "truncated";
	}
	forget_told(s);
}

/* Can it be told from what is in memory? */
static bool known_place(const struct source *s, const struct row *row)
{
	const struct position *c = &s->cursor, *at = &row->at;
	if (at->base != c->base)
		return false;
	if (at->offset >= c->offset && at->offset - c->offset <= s->replay.len)
		return crc64_add(c->crc, s->replay.ptr, (size_t)(at->offset - c->offset)) ==
		       at->crc;
	const struct rung *r =
		s->ladder.base == at->base ? ladder_find(&s->ladder, at->offset) : NULL;
	return r && r->offset == at->offset && r->crc == at->crc && !s->cut;
}

/* Does `a` come before `b`, when both may be the same file? What is known by its inode does, and
 * the longer one: a short beginning is soon alike. */
static bool likelier(const struct row *a, const struct row *b)
{
	return a->by_path != b->by_path ? b->by_path : a->at.offset > b->at.offset;
}

/* Takes the row, when memory allows. */
static bool add_row(struct discover *d, struct check *c, struct row *row)
{
	struct row *rows = realloc(c->rows, (c->n_rows + 1) * sizeof(*rows));
	if (!rows) {
		discover_short_of_memory(d);
		return false;
	}
	size_t at = c->n_rows;
	for (; at > 0 && likelier(&rows[at - 1], row); at--)
		rows[at] = rows[at - 1];
	rows[at] = *row;
	row->texts = NULL; /* the check has them now */
	c->rows = rows;
	c->n_rows++;
	return true;
}

/* The last of its rows is compared from the beginning, or from where it is known. */
static void begin_row(struct check *c)
{
	const struct row *row = current(c);
	const struct position *from = &c->source->committed;
	c->at = row->at.base;
	c->crc = CRC64_EMPTY;
	if (!c->adopt && from->base == row->at.base && from->offset < row->at.offset) {
		c->at = from->offset;
		c->crc = from->crc;
	}
}

static bool start_check(struct discover *d, struct source *s, struct row *row, bool adopt)
{
	struct check *c = calloc(1, sizeof(*c));
	if (!c) {
		discover_short_of_memory(d);
		return false;
	}
	*c = (struct check){.next = d->checks, .source = s, .adopt = adopt};
	if (!add_row(d, c, row)) {
		free(c);
		return false;
	}
	begin_row(c);
	if (adopt && descriptor_open(d->table, s) == 0 && descriptor_is_gzip(s->fd))
		descriptor_compressed(d->table, s, true);
	d->checks = c;
	d->check_due_ns = 0;
	s->held = true;
	list_remove(&s->ready);
	return true;
}

/* The check in which this file waits to be some row's; NULL: it does not. */
static struct check *check_of(const struct discover *d, const struct source *s)
{
	struct check *c = d->checks;
	while (c && !(c->adopt && c->source == s))
		c = c->next;
	return c;
}

static void judge(struct discover *d, struct source *s, struct row *row)
{
	s->listed = true;
	if (same_position(&s->committed, &row->at)) {
		s->born = true;
		return;
	}
	log_info("%s: the collector stands at %" PRIu64 ", not at %" PRIu64, s->path,
		 row->at.offset, s->committed.offset);
	if (known_place(s, row) || s->state == SOURCE_MISSING || s->cut) {
		place(d, s, row);
		source_set_ready(d->table, s);
	} else {
		(void)start_check(d, s, row, false);
	}
}

/* A file that is no stream's yet. One that is compared with another row may still turn out not to
 * be that one's. */
static bool may_adopt(const struct discover *d, const struct source *s)
{
	return s->state == SOURCE_NEW && !s->born && (!s->held || check_of(d, s));
}

/* A source whose file may be the row's. */
static struct source *candidate(const struct discover *d, const struct row *row, bool by_path)
{
	if (!by_path) {
		for (struct source *s = source_by_ino(d->table, row->ino); s; s = s->same_ino)
			if (s->btime_ns == row->btime_ns && may_adopt(d, s))
				return s;
		return NULL;
	}
	for (struct source *s = source_first(d->table); s; s = source_after(d->table, s))
		if (strcmp(s->path, row->path) == 0 && s->size >= row->at.offset && may_adopt(d, s))
			return s;
	return NULL;
}

static struct source *source_of_row(struct discover *d, const struct row *row)
{
	struct source *s;
	struct source_config c = {
		.id = row->id,
		.path = row->path,
		.service = row->service,
		.instance = row->instance,
		.ino = row->ino,
		.btime_ns = row->btime_ns,
		.start = row->start,
		.missing = true,
	};
	if (source_add(d->table, &c, &s) < 0) {
		discover_short_of_memory(d);
		return NULL;
	}
	source_place(d->table, s, &row->at);
	s->born = s->announced = s->listed = true;
	s->was = SOURCE_FOLLOWING;
	s->last_growth_ns = d->now_ns;
	return s;
}

/* Its file was not found so far. One that rotation has renamed has a name that meant nothing when
 * it was read: names are looked at again. */
static void missing_row(struct discover *d, const struct row *row)
{
	struct source *s = source_of_row(d, row);
	if (s) {
		/* Only now others can be compared with it: strays that were seen before the rows
		 * came. */
		s->input = look_input(d, s);
		s->begun_ns = clock_real_ns();
	}
	d->rescan_due_ns = d->now_ns;
	if (d->missing_due_ns > d->now_ns + STEP_EVERY)
		d->missing_due_ns = d->now_ns + STEP_EVERY;
}

/* The file of `s`, which has no stream yet, is the row's. */
static void adopt(struct discover *d, struct source *s, const struct row *row)
{
	struct source *known = source_of_row(d, row);
	if (!known) {
		go_on(d, s);
		return;
	}
	known->input = s->input;
	known->compressed = s->compressed;
	known->size = known->sure_size = s->size;
	source_set_file(d->table, known, s->ino, s->btime_ns, s->dev);
	if (source_set_path(d->table, known, s->path) < 0)
		discover_short_of_memory(d);
	source_move(d->table, known, SOURCE_NEW);
	int fd = descriptor_take(d->table, s);
	if (fd >= 0)
		descriptor_give(d->table, known, fd);
	names_hand_over(d, s, known);
	names_drop(d, s);
	go_on(d, known);
}

/* The last row is another file's, of which nothing is here. True: there is a next one to
 * compare. */
static bool next_row(struct discover *d, struct check *c)
{
	struct row *row = current(c);
	missing_row(d, row);
	free(row->texts);
	return --c->n_rows > 0;
}

/* True: it is over. */
static bool compared(struct discover *d, struct check *c, bool same)
{
	struct source *s = c->source;
	if (!same && c->adopt && next_row(d, c)) {
		begin_row(c);
		return false;
	}
	s->held = false;
	if (same && c->adopt) {
		struct row row = *current(c);
		c->n_rows--;
		while (c->n_rows)
			(void)next_row(d, c);
		adopt(d, s, &row);
		free(row.texts);
	} else if (same) {
		place(d, s, current(c));
		go_on(d, s);
	} else if (c->adopt) {
		descriptor_compressed(d->table, s, false);
		begin_fresh(d, s);
	} else {
		log_notice("%s is not the file that the collector knows: it is shipped as a new "
			   "stream",
			   s->path);
		place(d, s, current(c));
		s->cut = true;
		s->size = s->sure_size = s->tail_at;
		go_on(d, s);
		source_notice(d->table, s);
	}
	return true;
}

/* The file is not there any more. */
static void vanished(struct discover *d, struct check *c)
{
	struct source *s = c->source;
	s->held = false;
	if (c->adopt) {
		while (next_row(d, c))
			; /* none of them is here */
		begin_fresh(d, s);
		return;
	}
	place(d, s, current(c));
	s->size = s->sure_size = s->tail_at;
	go_on(d, s);
}

/* Compares on; returns how many bytes, 0 when it is decided, -errno. */
static ssize_t compare_on(struct discover *d, struct check *c)
{
	char bytes[READ_BYTES];
	const struct row *row = current(c);
	uint64_t left = row->at.offset - c->at;
	size_t want = left < sizeof(bytes) ? (size_t)left : sizeof(bytes);
	int r = descriptor_open(d->table, c->source);
	if (r < 0)
		return r;
	ssize_t n = follow_read_file(c->source, bytes, want, c->at);
	if (n < 0)
		return n;
	const struct source *source = c->source;
	if (source->compressed && (size_t)n < want && !zreader_complete(source->zreader))
		return -EAGAIN; /* it is being compressed */
	c->crc = crc64_add(c->crc, bytes, (size_t)n);
	c->at += (size_t)n;
	if ((size_t)n < want) {
		c->crc = ~row->at.crc; /* too short to be it */
		c->at = row->at.offset;
	}
	return n;
}

/* One row of a check, as far as the budget goes; true: it is decided. */
static bool row_on(struct discover *d, struct check *c, size_t *budget, bool *ret_gone)
{
	*ret_gone = false;
	while (c->at < current(c)->at.offset) {
		if (*budget < READ_BYTES)
			return false;
		ssize_t n = compare_on(d, c);
		if (n == -ENOENT || n == -ESTALE) {
			*ret_gone = true;
			return true;
		}
		if (n < 0) {
			log_gated(&c->source->error_gate, LOG_LEVEL_WARNING,
				  "%s cannot be read: %s; it is tried again", c->source->path,
				  strerror((int)-n));
			return false;
		}
		*budget -= (size_t)n;
	}
	return true;
}

/* One check; true: it is over. */
static bool check_on(struct discover *d, struct check *c, size_t *budget)
{
	for (;;) {
		bool gone;
		if (!row_on(d, c, budget, &gone))
			return false;
		if (gone) {
			vanished(d, c);
			return true;
		}
		if (compared(d, c, c->crc == current(c)->at.crc))
			return true;
	}
}

void settle_step(struct discover *d)
{
	struct check *todo = d->checks;
	size_t budget = STEP_BYTES;
	d->checks = NULL;
	while (todo) {
		struct check *c = todo;
		todo = c->next;
		if (check_on(d, c, &budget)) {
			drop_check(c);
		} else {
			c->next = d->checks;
			d->checks = c;
		}
	}
	d->check_due_ns = !d->checks            ? INT64_MAX
			  : budget < READ_BYTES ? d->now_ns + STEP_EVERY
						: d->now_ns + TRY_AGAIN_NS;
}

/* --- all rows are there --- */

/* Whether a file was found that may be the row's. */
static bool offer(struct discover *d, struct row *row, bool by_path)
{
	struct source *s = candidate(d, row, by_path);
	if (!s)
		return false;
	row->by_path = by_path;
	struct check *c = check_of(d, s);
	if (!c)
		return start_check(d, s, row, true);
	bool added = add_row(d, c, row);
	begin_row(c);
	return added;
}

/* What is known by its inode goes first: a name that rotation has given to another file would else
 * take that file away from its own row. */
static void without_sources(struct discover *d)
{
	for (int by_path = 0; by_path < 2; by_path++)
		for (size_t i = 0; i < d->n_rows; i++)
			if (d->rows[i].texts && !source_by_id(d->table, &d->rows[i].id))
				(void)offer(d, &d->rows[i], by_path);
	for (size_t i = 0; i < d->n_rows; i++)
		if (d->rows[i].texts && !source_by_id(d->table, &d->rows[i].id))
			missing_row(d, &d->rows[i]);
}

/* The collector does not know its stream (any more). */
static void without_row(struct discover *d, struct source *s)
{
	if (s->born && s->committed.offset > s->start) {
		log_warning("%s: the collector does not know its stream: it is shipped again from "
			    "%" PRIu64 " on",
			    s->path, s->start);
		struct row row = {.start = s->start};
		position_init(&row.at, s->start);
		ladder_free(&s->ladder);
		place(d, s, &row);
	}
	s->born = false;
	if (s->state == SOURCE_NEW)
		begin_fresh(d, s);
	source_set_ready(d->table, s);
}

void discover_rows_end(struct discover *d)
{
	d->now_ns = clock_mono_ns();
	d->first_start = d->first_start && d->rows_seen == 0 && !d->settled;
	for (struct source *s = source_first(d->table); s; s = source_after(d->table, s)) {
		s->listed = false;
		s->early = s->early && d->strangers;
	}
	/* By id first: what is claimed by its own row is no candidate for another. */
	for (size_t i = 0; i < d->n_rows; i++) {
		struct source *s = source_by_id(d->table, &d->rows[i].id);
		if (s && !s->listed)
			judge(d, s, &d->rows[i]);
	}
	without_sources(d);
	d->settled = true;
	if (!d->since_real_ns)
		d->since_real_ns = d->begun_real_ns;
	for (struct source *s = source_first(d->table), *next; s; s = next) {
		next = source_after(d->table, s);
		if (s->held || s->state == SOURCE_DRAINED || s->state == SOURCE_ENDING ||
		    s->state == SOURCE_ENDED)
			continue;
		if (!s->listed)
			without_row(d, s);
		else if (s->state == SOURCE_NEW)
			names_begin(d, s);
		if (s->state == SOURCE_MISSING)
			s->last_growth_ns = d->now_ns;
	}
	d->missing_due_ns = 0;
	rows_drop(d);
	settle_step(d);
	leave_noticed(d);
	cut_missing(d);
	match_step(d);
	stray_step(d);
	d->settled_before = true;
	if (d->first_start)
		begin_say_skipped(d);
	d->first_start = false;
}
