/* `haul trace`: see haul(1).
 *
 *     search all days -> one sorter -> (other ids beside it: search again) -> story -> print
 *
 * Lines of all days are gathered before anything is printed: the story has a beginning, an end and
 * a slowest gap. */
#include "collector/query/trace.h"

#include "collector/query/hits.h"
#include "collector/query/ids.h"
#include "collector/query/printer.h"
#include "collector/query/story.h"
#include "collector/query/unknown.h"
#include "common/log.h"

#include <errno.h>

enum { ROUNDS_MAX = 4 /* of searches for ids found beside ids */ };

struct trace {
	const struct options *options;
	const atomic_bool *stop;
	struct ids ids;
	struct sorter *lines; /* of all days */
	uint64_t n_lines;
	uint64_t matched;
	struct story story;
	struct printer printer;
	struct field_scratch scratch;
};

/* --- searching --- */

/* The day's lines, merged, go behind those of the days before. */
static int take_day(struct trace *t, struct hits *hits)
{
	struct merge *m;
	struct record record;
	int r = merge_open(hits->sorters, hits->n, &m);
	if (r < 0)
		return r;
	while ((r = merge_next(m, &record)) > 0) {
		/* Places are the day's own; what counts from here on is the order. */
		record.at = (struct place){.offset = t->n_lines++};
		t->matched += record.matched;
		r = sorter_add(t->lines, &record);
		if (r < 0)
			break;
	}
	merge_close(m);
	return r;
}

static int search_days(struct trace *t, struct search *search, struct hits *hits)
{
	for (size_t day = 0; day < search->n_days && !search_stopped(search); day++) {
		struct segments *segments;
		int r = hits_day(hits, day, &segments);
		if (r < 0)
			return r;
		segments_free(segments);
		r = take_day(t, hits);
		if (r < 0)
			return search_tell(r, "the search cannot go on");
	}
	return 0;
}

/* One search for all ids that are known. *ret_code: the exit code if this was the last. */
static int search_ids(struct trace *t, int *ret_code)
{
	struct search search;
	struct hits hits = {.n = 0};
	struct buf pattern = BUF_EMPTY;
	bool one = t->ids.n == 1;
	int r = ids_pattern(&t->ids, &pattern);
	if (r < 0)
		return search_tell(r, "trace");
	sorter_clear(t->lines);
	t->n_lines = t->matched = 0;
	r = search_open(&search, t->options, one ? t->options->id : pattern.ptr, one, t->stop);
	if (r == 0) {
		r = hits_open(&hits, &search, HITS_LINES, !t->options->no_events, RECORD_BY_TIME,
			      0);
		if (r < 0)
			(void)search_tell(r, "trace");
	}
	if (r == 0)
		r = search_days(t, &search, &hits);
	if (r == 0 && t->matched == 0 && search.where)
		r = unknown_fields(&search, &hits);
	*ret_code = search_exit_found(&search, r, t->matched > 0);
	hits_close(&hits);
	search_close(&search);
	buf_free(&pattern);
	return r;
}

/* --- the lines, twice --- */

/* Calls `each` for every line in order, until it returns other than 0. */
static int for_lines(struct trace *t,
		     int (*each)(struct trace *t, struct span line, bool matched, uint64_t number))
{
	struct merge *m;
	struct record record;
	uint64_t number = 0;
	int r = merge_open(&t->lines, 1, &m);
	if (r < 0)
		return r;
	while ((r = merge_next(m, &record)) > 0) {
		struct span line;
		bool matched;
		size_t at = 0;
		if (!record_next_line(&record, &at, &line, &matched))
			continue;
		r = each(t, line, matched, ++number);
		if (r != 0)
			break;
	}
	merge_close(m);
	return r;
}

static int take_ids(struct trace *t, struct span line, bool matched, uint64_t number)
{
	(void)number;
	return matched ? ids_add_from(&t->ids, line, &t->scratch) : 0;
}

static int take_line(struct trace *t, struct span line, bool matched, uint64_t number)
{
	(void)matched;
	if (t->options->max && number > t->options->max)
		return 1;
	return story_add(&t->story, line, &t->scratch);
}

static int print_line(struct trace *t, struct span line, bool matched, uint64_t number)
{
	(void)matched;
	if (t->options->max && number > t->options->max)
		return 1;
	return story_print_line(&t->story, &t->printer, line, number);
}

static int search_all(struct trace *t, int *ret_code)
{
	int r = search_ids(t, ret_code);
	for (unsigned round = 1; r == 0 && t->options->follow_ids && round < ROUNDS_MAX; round++) {
		size_t known = t->ids.n;
		r = for_lines(t, take_ids);
		if (r < 0)
			return search_tell(r, "trace");
		if (t->ids.n == known || atomic_load(t->stop))
			break;
		r = search_ids(t, ret_code);
	}
	if (t->ids.full)
		log_warning("more than %d ids stand beside each other: some are not followed",
			    IDS_MAX);
	return r;
}

static int print_story(struct trace *t)
{
	int r = for_lines(t, take_line);
	if (r >= 0)
		r = for_lines(t, print_line);
	if (r >= 0)
		r = story_print_sum(&t->story, &t->printer);
	if (r >= 0)
		r = printer_flush(&t->printer);
	return r >= 0 || r == -EPIPE ? 0 : search_tell(r, "cannot print what was found");
}

int trace_run(const struct options *o, const atomic_bool *stop)
{
	struct trace t = {.options = o, .stop = stop};
	int code = EXIT_TROUBLE;
	t.lines = sorter_new(RECORD_BY_TIME, SEARCH_MEMORY / 2, 0);
	int r = t.lines ? ids_add(&t.ids, span_of(o->id)) : -ENOMEM;
	if (r == 0)
		r = printer_init(&t.printer, o, NULL);
	if (r < 0)
		(void)search_tell(r, "trace");
	else
		r = search_all(&t, &code);
	if (r == 0 && t.matched > 0 && print_story(&t) < 0)
		code = EXIT_TROUBLE;
	sorter_free(t.lines);
	ids_free(&t.ids);
	story_free(&t.story);
	printer_free(&t.printer);
	field_scratch_free(&t.scratch);
	return code;
}
