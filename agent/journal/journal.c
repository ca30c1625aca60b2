/* One journal: see journal.h. The loop calls it when the journal's descriptor is readable, when it
 * is not at its end, and when it is to be opened.
 *
 * Happy path: reader_next -> which stream? -> has it been sent? -> window and stream -> the source
 * is ready. The descriptor is looked at only when everything is read, for only then libsystemd lets
 * go of files that journald has deleted: so what is unread stays readable, as a deleted log file
 * does.
 *
 * Gaps. A journald numbers its entries with one counter, over all of its files. When a number is
 * missing its entry may only have been overtaken (two files are written at a time), so reading
 * begins again before the gap; what is missing then too is lost: vacuumed unread, or in a damaged
 * file. The loss is told under the service JOURNAL_OWN_SERVICE, with as many entries. Nothing is
 * concluded where some files are closed to this program.
 *
 * Failure modes: the journal cannot be opened or read: said once, tried again every five seconds;
 * memory is short: the entry is read again later. */
#include "agent/journal/journal.h"

#include "agent/journal/journal_inside.h"

#include "common/clock.h"
#include "common/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define CADENCE_NS    (50 * NUM_MS_NS) /* events are taken so often */
#define OPEN_AGAIN_NS (5 * NUM_SEC_NS) /* after a failure */
/* For files that a glob names, and a journal that appears. */
#define LOOK_AGAIN_NS (60 * NUM_SEC_NS)

enum {
	WINDOW_BYTES = 4 * 1024 * 1024, /* not acknowledged, then reading stops */
	TURN_ENTRIES = 1000,
	TURN_BYTES = 1024 * 1024,
};

/* --- making --- */

int journal_path(const struct input *in, char **ret)
{
	struct buf path = BUF_EMPTY;
	int r = buf_add_str(&path, "journal");
	if (r == 0 && *in->journal)
		r = buf_printf(&path, ":%s", in->journal);
	*ret = r == 0 && buf_cstr(&path) ? path.ptr : NULL;
	if (!*ret)
		buf_free(&path);
	return *ret ? 0 : -ENOMEM;
}

int journal_init(struct journal *j, struct input *in, struct source_table *t, struct registry *r)
{
	*j = (struct journal){.input = in, .table = t, .registry = r};
	journal_streams_init(j);
	j->series = calloc(SERIES_MAX, sizeof(*j->series));
	int e = j->series ? journal_path(in, &j->path) : -ENOMEM;
	if (e < 0)
		free(j->series);
	return e;
}

void journal_free(struct journal *j)
{
	for (struct source *s = source_first_stream(j->table); s;
	     s = source_after_stream(j->table, s))
		if (s->journal->window == &j->window)
			journal_disown(j, s);
	reader_close(j->reader);
	window_clear(&j->window);
	record_free(&j->record);
	buf_free(&j->service);
	buf_free(&j->instance);
	map_free(&j->by_name);
	free(j->series);
	free(j->path);
}

void journal_close(struct journal *j, int64_t again_ns)
{
	reader_close(j->reader);
	j->reader = NULL;
	j->open_due_ns = again_ns;
}

/* --- entries --- */

static int add_entry(struct journal *j, struct source *s, struct span message,
		     struct journal_entry **ret)
{
	int r = window_add(&j->window, message, ret);
	if (r < 0)
		return r;
	int64_t now_ns = clock_mono_ns();
	(*ret)->point = j->read;
	(*ret)->count = 1;
	s->journal->added_ns = now_ns;
	if (!s->behind_since_ns)
		s->behind_since_ns = now_ns;
	return 0;
}

static void added(struct journal *j, struct source *s, struct journal_entry *e)
{
	stream_add(s->journal, e);
	s->size = s->journal->next_at;
	source_set_ready(j->table, s);
}

static struct series *series_of(struct journal *j, const struct cursor *c)
{
	for (size_t i = 0; i < j->n_series; i++)
		if (cursor_same_series(&j->series[i].last, c))
			return &j->series[i];
	return NULL;
}

void journal_remember(struct journal *j, const struct cursor *c, uint64_t lost)
{
	struct series *own = series_of(j, c);
	for (size_t i = 0; i < j->n_series; i++)
		if (&j->series[i] != own && c->seqnum > j->series[i].base)
			j->series[i].others += 1 + lost;
	if (!own && j->n_series == SERIES_MAX)
		j->too_many_series = true;
	else if (!own)
		own = &j->series[j->n_series++];
	if (own)
		*own = (struct series){.last = *c, .base = c->seqnum};
}

/* How many numbers are missing before the record's: those that no series has had since the last one
 * of its own. Numbers of another counter among them make it fewer, never more. */
static uint64_t gap_before(const struct journal *j, const struct series *own)
{
	uint64_t between;
	if (!own || j->too_many_series || !reader_sees_all(j->reader) ||
	    j->record.cursor.seqnum <= own->base)
		return 0;
	between = j->record.cursor.seqnum - own->base - 1;
	return between > own->others ? between - own->others : 0;
}

/* So many entries before the record are lost. */
static int add_loss(struct journal *j, uint64_t lost)
{
	struct journal_point read = j->read;
	struct source *s;
	struct journal_entry *e;
	int r = journal_own_stream(j, &s);
	if (r < 0)
		return r;
	j->read.number++;
	j->read.cursor = j->record.cursor;
	j->read.cursor.seqnum--;
	if (resume_was_sent(j, s->journal, &j->read.cursor))
		return 0;
	r = add_entry(j, s, SPAN_LITERAL(""), &e);
	if (r < 0) {
		j->read = read;
		return r;
	}
	e->count = lost;
	e->lost_cause = j->again_found ? "damaged" : "deleted";
	log_gated(&j->damage_gate, LOG_LEVEL_WARNING,
		  "%s: %" PRIu64
		  " entries cannot be read any more (%s): they are recorded as a loss",
		  j->path, lost, e->lost_cause);
	added(j, s, e);
	return 0;
}

static void take_texts(const struct journal *j, struct journal_entry *e)
{
	e->time_us = record_time_us(&j->record);
	e->silent = !j->record.has_message;
	e->from_stderr = record_is_error(&j->record);
	e->partial = j->record.partial;
	e->cut = j->record.cut;
}

static int add_record(struct journal *j)
{
	struct journal_point read = j->read;
	struct journal_entry *e;
	struct source *s;
	int r = journal_find_stream(j, &s);
	if (r < 0)
		return r;
	j->read.number++;
	j->read.cursor = j->record.cursor;
	if (resume_was_sent(j, s->journal, &j->record.cursor))
		return 0;
	r = add_entry(j, s, buf_span(&j->record.message), &e);
	if (r < 0) {
		j->read = read;
		return r;
	}
	take_texts(j, e);
	if (e->partial)
		j->waits = s->journal->waits = true; /* until the pump knows better */
	if (e->cut)
		log_gated(&j->cut_gate, LOG_LEVEL_WARNING,
			  "%s: a message of %s is longer than %zu bytes: the rest is left out",
			  j->path, s->service, READER_MESSAGE_MAX);
	added(j, s, e);
	return 0;
}

/* The record at hand. Errors: -EAGAIN: reading has gone back; -ENOMEM. */
static int take_record(struct journal *j)
{
	const struct series *own = series_of(j, &j->record.cursor);
	uint64_t lost = gap_before(j, own);
	if (own && j->record.cursor.seqnum <= own->last.seqnum)
		return 0; /* it was read before reading had gone back */
	if (lost && !j->again) {
		j->again = true;
		int r = reader_to(j->reader, &own->last, &j->again_found);
		return r < 0 ? r : -EAGAIN;
	}
	int r = lost ? add_loss(j, lost) : 0;
	if (r == 0)
		r = add_record(j);
	if (r < 0)
		return r;
	if (own)
		j->again = false;
	journal_remember(j, &j->record.cursor, lost);
	return 0;
}

/* --- reading --- */

static void failed(struct journal *j, int error, int64_t now_ns)
{
	j->error = error;
	log_gated(&j->gate, LOG_LEVEL_WARNING, "%s cannot be read: %s; it is tried again", j->path,
		  strerror(-error));
	journal_close(j, now_ns + OPEN_AGAIN_NS);
}

/* What is there already is passed over, at the very first start: as an entry of the journal's own
 * stream without a line, so that a restart knows where that was. */
static int pass_over(struct journal *j)
{
	struct journal_entry *e;
	struct source *s;
	j->to_tail = false;
	int r = reader_to_tail(j->reader, &j->record);
	if (r <= 0)
		return r;
	r = journal_own_stream(j, &s);
	if (r < 0)
		return r;
	j->read.number++;
	j->read.cursor = j->record.cursor;
	journal_remember(j, &j->record.cursor, 0);
	r = add_entry(j, s, SPAN_LITERAL(""), &e);
	if (r < 0)
		return r;
	e->silent = true;
	added(j, s, e);
	return 0;
}

static void open_now(struct journal *j, int64_t now_ns)
{
	int r = reader_open(j->input->journal, &j->reader);
	if (r == 0)
		r = resume_place(j);
	if (r == 0 && j->to_tail && !j->read.number)
		r = pass_over(j);
	if (r < 0) {
		failed(j, r, now_ns);
		return;
	}
	if (j->error)
		log_gate_clear(&j->gate, "%s can be read again", j->path);
	j->error = 0;
	j->at_end = false;
	j->processed_ns = now_ns;
	j->open_due_ns = now_ns + LOOK_AGAIN_NS;
}

/* Returns whether there may be more. */
static bool read_some(struct journal *j, int64_t now_ns)
{
	size_t before = j->window.bytes;
	for (int i = 0; i < TURN_ENTRIES && j->window.bytes < WINDOW_BYTES; i++) {
		int there = reader_next(j->reader, &j->record);
		int r = there > 0 ? take_record(j) : there;
		if (there == 0)
			return false;
		if (r < 0 && r != -EAGAIN) {
			failed(j, r, now_ns);
			return false;
		}
		if (j->window.bytes - before >= TURN_BYTES)
			break;
	}
	return true;
}

static void read_on(struct journal *j, int64_t now_ns)
{
	j->at_end = !read_some(j, now_ns);
	if (j->reader && reader_is_spoilt(j->reader)) {
		log_gated(&j->damage_gate, LOG_LEVEL_WARNING,
			  "%s: a file was cut short while it was read; the journal is opened anew",
			  j->path);
		journal_close(j, now_ns);
	}
}

static void take_events(struct journal *j, int64_t now_ns)
{
	int r = reader_process(j->reader);
	j->processed_ns = now_ns;
	if (r < 0)
		failed(j, r, now_ns);
	else
		j->at_end = false;
}

/* Has it to be opened anew, though it can be read? Everything that it has is read. */
static void look_for_files(struct journal *j, int64_t now_ns)
{
	bool none = !reader_has_files(j->reader);
	if (none || reader_is_stale(j->reader))
		journal_close(j, now_ns);
	else
		j->open_due_ns = now_ns + LOOK_AGAIN_NS;
}

/* --- the end of a line that may come --- */

static void wake_waiting(struct journal *j, int64_t now_ns)
{
	struct source *s;
	j->waits = false;
	for (size_t at = 0; (s = map_next(&j->by_name, &at)) != NULL;) {
		if (!s->journal->waits)
			continue;
		if (now_ns - s->journal->added_ns >= STREAM_WAIT_NS)
			source_set_ready(j->table, s);
		else
			j->waits = true;
	}
}

/* --- the loop's calls --- */

void journal_read(struct journal *j, int64_t now_ns, bool readable)
{
	if (!j->settled)
		return;
	if (j->reader && j->at_end && now_ns >= j->open_due_ns)
		look_for_files(j, now_ns);
	if (!j->reader && now_ns >= j->open_due_ns)
		open_now(j, now_ns);
	if (j->reader && readable && journal_is_listening(j, now_ns))
		take_events(j, now_ns);
	if (j->reader && !j->at_end && j->window.bytes < WINDOW_BYTES)
		read_on(j, now_ns);
	if (now_ns >= j->tidy_due_ns || j->tidy_due_ns == INT64_MAX)
		journal_tidy(j, now_ns);
	if (j->waits)
		wake_waiting(j, now_ns);
}

bool journal_is_listening(const struct journal *j, int64_t now_ns)
{
	return j->reader && j->at_end && now_ns >= j->processed_ns + CADENCE_NS;
}

int64_t journal_next_ns(const struct journal *j, int64_t now_ns)
{
	if (!j->settled)
		return INT64_MAX;
	if (j->reader && !j->at_end && j->window.bytes < WINDOW_BYTES)
		return 0;
	int64_t next = j->tidy_due_ns;
	if (j->reader && j->at_end && now_ns < j->processed_ns + CADENCE_NS)
		next = j->processed_ns + CADENCE_NS;
	if ((!j->reader || j->at_end) && j->open_due_ns < next)
		next = j->open_due_ns;
	if (j->waits && now_ns + NUM_SEC_NS < next)
		next = now_ns + NUM_SEC_NS;
	return next;
}
