/* `haul patterns`: see haul(1).
 *
 *     search all days -> a template a line -> tallies -> clusters -> rows
 *
 * Each line counts for one template, and each template for one row, so that the rows' counts add up
 * to the number of lines. When there are more different templates than are clustered, the rarest
 * share a last row. */
#include "collector/query/patterns.h"

#include "collector/query/cluster.h"
#include "collector/query/search.h"
#include "collector/query/table.h"
#include "collector/query/template.h"

#include <errno.h>
#include <stdlib.h>

enum { TEMPLATES_MAX = 8000, TIME_TEXT = CIVIL_TIME_LEN };

struct worker {
	struct patterns *patterns;
	struct sieve_scratch *sieve;
	struct tally *tally;
	struct field_scratch scratch;
	struct buf template;
	uint64_t lines;
};

struct patterns {
	struct search search;
	struct worker workers[SCAN_THREADS_MAX];
	struct tally *tallies[SCAN_THREADS_MAX];
	struct leaders leaders;
	struct tally_value rest; /* of templates that are no leaders */
	uint64_t lines;
	struct printer printer;
	struct table *table;
	uint64_t rows;
};

static const struct table_column columns[] = {
	{"count", CELL_NUMBER}, {"share", CELL_SHARE}, {"first", CELL_TEXT},
	{"last", CELL_TEXT},    {"level", CELL_TEXT},  {"pattern", CELL_TEXT},
};

enum { N_COLUMNS = sizeof(columns) / sizeof(*columns) };

static int take_line(struct worker *w, struct span line)
{
	int64_t us = record_time(line);
	const struct tally_value value = {.count = 1, .first_us = us, .last_us = us};
	w->lines++;
	buf_clear(&w->template);
	int r = template_of_line(line, &w->scratch, &w->template);
	return r < 0 ? r : tally_add(w->tally, buf_span(&w->template), &value);
}

static int take_window(void *worker, struct segments *segments, const struct window *window)
{
	struct worker *w = worker;
	struct span line;
	uint64_t before = w->lines;
	int r;
	(void)segments;
	sieve_start(w->sieve, window->lines);
	while ((r = sieve_next(w->sieve, &line)) > 0) {
		r = take_line(w, line);
		if (r < 0)
			return r;
	}
	atomic_fetch_add(&w->patterns->search.progress.found, w->lines - before);
	return r;
}

static const struct finder *lead(void *worker)
{
	const struct worker *w = worker;
	return sieve_lead(&w->patterns->search.sieve);
}

static int search_days(struct patterns *p)
{
	static const struct scan_ops ops = {.window = take_window, .lead = lead};
	void *workers[SCAN_THREADS_MAX];
	for (unsigned i = 0; i < p->search.threads; i++)
		workers[i] = &p->workers[i];
	for (size_t day = 0; day < p->search.n_days && !search_stopped(&p->search); day++) {
		struct segments *segments;
		int r = search_list(&p->search, day, &segments);
		if (r < 0)
			return r;
		r = search_scan(&p->search, segments, &ops, workers);
		segments_free(segments);
		if (r < 0)
			return r;
	}
	for (unsigned i = 0; i < p->search.threads; i++)
		p->lines += p->workers[i].lines;
	return 0;
}

static int choose(struct patterns *p)
{
	struct tally_reader reader;
	struct tally_value value;
	struct span key;
	uint64_t chosen = 0;
	int r = tally_open(p->tallies, p->search.threads, &reader);
	while (r == 0 && (r = tally_next(&reader, &key, &value)) > 0)
		r = leaders_offer(&p->leaders, key, &value);
	tally_close(&reader);
	if (r < 0)
		return r;
	for (size_t i = 0; i < p->leaders.n; i++)
		chosen += p->leaders.items[i].value.count;
	p->rest.count = p->lines - chosen;
	return cluster_leaders(&p->leaders);
}

static struct span format_time(char dst[TIME_TEXT], int64_t us)
{
	if (us < CIVIL_MIN_US || us > CIVIL_MAX_US)
		return span_make(NULL, 0);
	civil_format_us(dst, us);
	return span_make(dst, TIME_TEXT);
}

static int print_row(struct patterns *p, struct span text, const struct tally_value *value)
{
	char first[TIME_TEXT], last[TIME_TEXT];
	size_t tab = span_find(text, '\t');
	struct span level = tab < text.len ? span_first(text, tab) : span_make(NULL, 0);
	struct cell cells[N_COLUMNS] = {
		{.number = value->count},
		{.share = (double)value->count / (double)p->lines},
		{.text = format_time(first, value->first_us)},
		{.text = format_time(last, value->last_us)},
		{.text = level},
		{.text = tab < text.len ? span_from(text, tab + 1) : text},
	};
	p->rows++;
	return table_add(p->table, cells);
}

static int print(struct patterns *p, const struct options *o)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < p->leaders.n; i++) {
		const struct leader *l = &p->leaders.items[i];
		if (o->max && p->rows == o->max)
			break;
		if (l->value.first_us < o->new_since_us)
			continue;
		r = print_row(p, buf_span(&l->text), &l->value);
	}
	if (r == 0 && p->rest.count && o->new_since_us == INT64_MIN &&
	    (!o->max || p->rows < o->max)) {
		p->rest.first_us = p->rest.last_us = RECORD_NO_TIME;
		r = print_row(p, span_of("(rarer ones)"), &p->rest);
	}
	return r < 0 ? r : table_flush(p->table);
}

static int open_patterns(struct patterns *p, const struct options *o, const atomic_bool *stop)
{
	int r = search_open(&p->search, o, o->pattern, o->fixed, stop);
	if (r < 0)
		return r;
	r = leaders_init(&p->leaders, TEMPLATES_MAX);
	for (unsigned i = 0; r == 0 && i < p->search.threads; i++) {
		struct worker *w = &p->workers[i];
		w->patterns = p;
		w->sieve = sieve_scratch_new(&p->search.sieve);
		w->tally = p->tallies[i] = tally_new(SEARCH_MEMORY / p->search.threads);
		if (!w->sieve || !w->tally)
			r = -ENOMEM;
	}
	if (r == 0)
		r = printer_init(&p->printer, o, NULL);
	p->table = table_new(&p->printer, columns, N_COLUMNS);
	if (r == 0 && !p->table)
		r = -ENOMEM;
	return r < 0 ? search_tell(r, "patterns") : 0;
}

int patterns_run(const struct options *o, const atomic_bool *stop)
{
	struct patterns p = {.table = NULL};
	int r = open_patterns(&p, o, stop);
	if (r == 0)
		r = search_days(&p);
	if (r == 0) {
		r = choose(&p);
		if (r == 0)
			r = print(&p, o);
		if (r < 0 && r != -EPIPE)
			(void)search_tell(r, "cannot print the patterns");
	}
	int code = search_exit(&p.search, r);
	for (unsigned i = 0; i < SCAN_THREADS_MAX; i++) {
		sieve_scratch_free(p.workers[i].sieve);
		tally_free(p.workers[i].tally);
		field_scratch_free(&p.workers[i].scratch);
		buf_free(&p.workers[i].template);
	}
	leaders_free(&p.leaders);
	table_free(p.table);
	printer_free(&p.printer);
	search_close(&p.search);
	return code;
}
