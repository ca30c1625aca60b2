/* All journals: see journal.h. What is composed here is the list of inputs, the collector's rows,
 * and what the loop asks of each journal in turn.
 *
 * A row is always believed: who sends is this host's agent, so the entries up to the row's offset
 * are there. When it stands behind what was acknowledged once (an archive from a backup), or is
 * missing, what it lacks is sent again as far as the journal has it. */
#include "agent/journal/journal_inside.h"

#include "common/chunk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* --- making --- */

static void free_list(struct journal_array *l)
{
	for (size_t i = 0; i < l->n; i++)
		journal_free(&l->items[i]);
	free(l->items);
	*l = (struct journal_array){0};
}

static int make_list(const struct journals *all, struct input *inputs, size_t n,
		     struct journal_array *ret)
{
	struct journal_array l = {.items = calloc(n ? n : 1, sizeof(struct journal))};
	int r = l.items ? 0 : -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++) {
		if (inputs[i].type != INPUT_JOURNAL)
			continue;
		r = journal_init(&l.items[l.n], &inputs[i], all->table, all->registry);
		if (r == 0)
			l.n++;
	}
	if (r < 0)
		free_list(&l);
	else
		*ret = l;
	return r;
}

int journals_new(struct input *inputs, size_t n, struct source_table *t, struct registry *r,
		 struct journals **ret)
{
	struct journals *all = calloc(1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	all->table = t;
	all->registry = r;
	all->first_start = registry_is_first_start(r);
	int e = make_list(all, inputs, n, &all->list);
	if (e < 0) {
		free(all);
		return e;
	}
	*ret = all;
	return 0;
}

static void drop_rows(struct journals *all)
{
	for (size_t i = 0; i < all->n_rows; i++) {
		free(all->rows[i].path);
		free(all->rows[i].service);
		free(all->rows[i].instance);
	}
	free(all->rows);
	all->rows = NULL;
	all->n_rows = all->rows_capacity = all->rows_seen = 0;
}

void journals_free(struct journals *all)
{
	if (!all)
		return;
	free_list(&all->list);
	free_list(&all->next);
	drop_rows(all);
	free(all);
}

/* It keeps its place; should an input want it again, it goes on from there. */
static void let_go(struct journals *all, struct source *s)
{
	free(s->input_name);
	s->input_name = s->input ? strdup(s->input->name) : NULL;
	s->input = NULL;
	if (s->state == SOURCE_FOLLOWING || s->state == SOURCE_DRAINED || s->state == SOURCE_ENDING)
		source_move(all->table, s, SOURCE_MISSING);
}

int journals_prepare(struct journals *all, struct input *inputs, size_t n)
{
	free_list(&all->next);
	return make_list(all, inputs, n, &all->next);
}

void journals_switch(struct journals *all)
{
	for (struct source *s = source_first_stream(all->table); s;
	     s = source_after_stream(all->table, s))
		let_go(all, s);
	free_list(&all->list);
	all->list = all->next;
	all->next = (struct journal_array){0};
}

/* --- the collector's rows --- */

static bool is_journal_path(struct span path)
{
	return span_is(path, "journal") || span_starts_with(path, SPAN_LITERAL("journal:"));
}

static char *copy_text(struct span s)
{
	return strndup(s.len ? s.ptr : "", s.len);
}

static void add_row(struct journals *all, const struct stream_row *row)
{
	if (all->n_rows == all->rows_capacity) {
		size_t capacity = all->rows_capacity ? all->rows_capacity * 2 : 64;
		struct journal_row *rows = realloc(all->rows, capacity * sizeof(*rows));
		if (!rows)
			return;
		all->rows = rows;
		all->rows_capacity = capacity;
	}
	struct journal_row *r = &all->rows[all->n_rows];
	*r = (struct journal_row){
		.id = row->stream,
		.path = copy_text(row->path),
		.service = copy_text(row->service),
		.instance = copy_text(row->instance),
		.start = row->start,
		.ended = row->ended,
	};
	position_init(&r->at, row->start);
	r->at.offset = row->offset;
	r->at.base = row->base;
	r->at.crc = row->crc;
	if (stream_state_decode(row->state, &r->place, &r->at.frame) < 0) {
		r->place = (struct journal_place){0};
		frame_state_init(&r->at.frame);
	}
	all->n_rows++;
}

bool journals_row(struct journals *all, const struct stream_row *row)
{
	all->rows_seen++;
	if (!is_journal_path(row->path))
		return false;
	add_row(all, row);
	return true;
}

static struct journal *journal_of(struct journals *all, const char *path)
{
	for (size_t i = 0; path && i < all->list.n; i++)
		if (strcmp(all->list.items[i].path, path) == 0)
			return &all->list.items[i];
	return NULL;
}

/* What is known of where one journal goes on. */
struct start {
	struct journal_point from; /* number 0: nothing is known */
	bool behind; /* a stream of the collector is behind what it had: from is to be no later */
	bool from_head;
};

static void drop_source(struct journals *all, struct journal *j, struct source *s)
{
	if (j)
		journal_disown(j, s);
	registry_forget(all->registry, s, NULL);
	source_drop(all->table, s);
}

static int source_of_row(struct journals *all, const struct journal_row *row, struct source **ret)
{
	struct source_config c = {
		.id = row->id,
		.path = row->path,
		.service = row->service,
		.instance = row->instance,
		.start = row->start,
		.missing = true,
		.journal = true,
	};
	*ret = source_by_id(all->table, &row->id);
	if (*ret)
		return 0;
	if (!row->path || !row->service || !row->instance)
		return -ENOMEM;
	return source_add(all->table, &c, ret);
}

static void newer(struct journal_point *a, const struct journal_point *b)
{
	if (b->number > a->number)
		*a = *b;
}

static void place(struct journals *all, struct source *s, const struct journal_row *row,
		  struct start *start)
{
	struct journal_place *p = &s->journal->committed;
	bool behind = row->at.offset < s->committed.offset;
	if (behind)
		log_notice("%s: the collector stands at entry %" PRIu64 " of %s, not at %" PRIu64,
			   s->path, row->at.offset, s->service, s->committed.offset);
	if (behind && (!start->behind || row->place.upto.number < start->from.number)) {
		start->behind = true;
		start->from = row->place.upto;
		start->from_head = start->from_head || !row->place.upto.number;
	}
	p->last = row->place.last;
	if (behind)
		p->upto = row->place.upto;
	else
		newer(&p->upto, &row->place.upto);
	s->journal->told = row->place.upto.number;
	source_place(all->table, s, &row->at);
	s->start = row->start;
	s->born = s->announced = s->listed = true;
	s->lost_from = s->lost_to = 0;
}

static void take_row(struct journals *all, const struct journal_row *row, struct start *starts)
{
	struct journal *j = journal_of(all, row->path);
	struct source *s = source_by_id(all->table, &row->id);
	if (row->ended) {
		if (s)
			drop_source(all, j, s);
		return;
	}
	if (source_of_row(all, row, &s) < 0) {
		log_error("memory is short: %s of %s is not known any more", row->service,
			  row->path);
		return;
	}
	struct start unused = {0};
	place(all, s, row, j ? &starts[j - all->list.items] : &unused);
}

/* The collector does not know its stream (any more). */
static void without_row(struct source *s, struct start *start)
{
	if (s->born && s->committed.offset > s->start) {
		log_warning("%s: the collector does not know the stream of %s: it is shipped again "
			    "from %" PRIu64 " on",
			    s->path, s->service, s->start);
		start->from_head = true;
		s->journal->committed = (struct journal_place){0};
		position_init(&s->committed, s->start);
		s->cursor = s->committed;
	}
	s->born = false;
}

static void settle_one(struct journals *all, struct journal *j, struct start *start)
{
	for (struct source *s = source_first_stream(all->table), *next; s; s = next) {
		next = source_after_stream(all->table, s);
		if (strcmp(s->path, j->path) != 0 || s->state == SOURCE_ENDED)
			continue;
		if (!s->listed)
			without_row(s, start);
		if (!start->behind)
			newer(&start->from, &s->journal->committed.upto);
		if ((s->state == SOURCE_MISSING || s->state == SOURCE_NEW) &&
		    journal_adopt(j, s) < 0)
			log_error("memory is short: %s of %s is not followed", s->service, j->path);
	}
	if (!start->from.number && !start->from_head && all->first_start &&
	    j->input->from == INPUT_FROM_END && !j->settled)
		j->to_tail = true;
	resume_journal(j, &start->from, start->from_head);
}

void journals_rows_end(struct journals *all)
{
	struct start *starts = calloc(all->list.n + 1, sizeof(*starts));
	if (!starts)
		return; /* they wait for the next list */
	if (all->rows_seen)
		all->first_start = false;
	for (struct source *s = source_first_stream(all->table); s;
	     s = source_after_stream(all->table, s))
		s->listed = false;
	for (size_t i = 0; i < all->n_rows; i++)
		take_row(all, &all->rows[i], starts);
	for (size_t i = 0; i < all->list.n; i++)
		settle_one(all, &all->list.items[i], &starts[i]);
	all->first_start = false;
	drop_rows(all);
	free(starts);
}

/* --- the loop's calls --- */

unsigned journals_fds(const struct journals *all, int64_t now_ns, int *fds, unsigned max)
{
	unsigned n = 0;
	for (size_t i = 0; i < all->list.n && n < max; i++)
		if (journal_is_listening(&all->list.items[i], now_ns))
			fds[n++] = reader_fd(all->list.items[i].reader);
	return n;
}

void journals_take(struct journals *all, int64_t now_ns, bool readable)
{
	for (size_t i = 0; i < all->list.n; i++)
		journal_read(&all->list.items[i], now_ns, readable);
}

int64_t journals_next_ns(const struct journals *all, int64_t now_ns)
{
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < all->list.n; i++) {
		int64_t due_ns = journal_next_ns(&all->list.items[i], now_ns);
		next = due_ns < next ? due_ns : next;
	}
	return next;
}

bool journals_status(const struct journals *all, size_t i, struct journal_status *ret)
{
	if (i >= all->list.n)
		return false;
	const struct journal *j = &all->list.items[i];
	*ret = (struct journal_status){
		.input = j->input->name,
		.path = j->path,
		.error = j->error ? strerror(-j->error) : NULL,
		.streams = j->by_name.count,
		.held_bytes = j->window.bytes,
	};
	return true;
}

/* --- check --- */

static int add_time(struct buf *out, const struct record *r)
{
	char text[CIVIL_TIME_LEN + 1] = "";
	int64_t us = record_time_us(r);
	if (us != INT64_MIN)
		civil_format_us(text, us);
	return buf_printf(out, " %.19sZ", text);
}

int journal_list(const struct input *in, struct buf *out)
{
	struct reader *reader = NULL;
	struct record record = {0};
	char *path;
	int r = journal_path(in, &path);
	if (r < 0)
		return r;
	r = reader_open(in->journal, &reader);
	if (r < 0) {
		r = buf_printf(out, "%s  cannot be read: %s  input %s\n", path, strerror(-r),
			       in->name);
		goto done;
	}
	r = buf_printf(out, "%s  service %s  input %s ", path,
		       *in->service ? in->service
				    : "of the entry's unit, syslog identifier or container",
		       in->name);
	if (r == 0 && reader_next(reader, &record) <= 0)
		r = buf_add_str(out, " no entries");
	else if (r == 0)
		r = add_time(out, &record);
	if (r == 0 && reader_to_tail(reader, &record) > 0)
		r = buf_add_str(out, " to");
	if (r == 0 && record.cursor.seqnum)
		r = add_time(out, &record);
	if (r == 0)
		r = buf_add_char(out, '\n');
done:
	reader_close(reader);
	record_free(&record);
	free(path);
	return r;
}
