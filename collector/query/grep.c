/* `haul grep`: see haul(1).
 *
 *     search a day -> (context) -> merge -> print, and on to the next day
 *     or, when it is large: search and print it in rounds
 *
 * A line's time lies in its directory's day, so that days can be printed one after another. */
#include "collector/query/grep.h"

#include "collector/query/context.h"
#include "collector/query/hits.h"
#include "collector/query/printer.h"
#include "collector/query/unknown.h"
#include "common/columns.h"

#include <errno.h>
#include <inttypes.h>

struct grep {
	struct search search;
	struct hits hits;
	struct printer printer;
	struct sorter *groups; /* with context */
	uint64_t left;         /* matching lines that may yet be printed; UINT64_MAX: no limit */
	int64_t last_us;       /* the time of the line that was printed last */
	bool found;
};

/* --- output --- */

/* With the limit reached: is this the rest of the last event that was printed? */
static bool belongs_to_last(const struct record *r, int64_t last_us)
{
	struct columns c;
	struct span line;
	size_t at = 0;
	bool matched;
	if (!record_next_line(r, &at, &line, &matched))
		return false;
	return !matched && r->time_us == last_us && columns_split(line, &c) &&
	       columns_flag(&c, '+');
}

/* 1: that was enough. */
static int print_found(void *user, const struct record *record)
{
	struct grep *g = user;
	if (g->left == 0 && !belongs_to_last(record, g->last_us))
		return 1;
	int r = printer_record(&g->printer, record);
	if (r < 0)
		return r;
	g->last_us = record->time_us;
	if (record->matched && g->left != UINT64_MAX)
		g->left--;
	return 0;
}

static int print_lines(struct grep *g, struct merge *m)
{
	struct record record;
	int r;
	while ((r = merge_next(m, &record)) > 0) {
		r = print_found(g, &record);
		if (r != 0)
			break;
	}
	return r < 0 ? r : 0;
}

/* Where in a group the limit is reached: behind the last line that may match and its context. */
static size_t group_end(const struct grep *g, const struct record *group, uint64_t *ret_matched)
{
	uint64_t after = g->search.options->after;
	struct span line;
	size_t at = 0, end = 0;
	bool matched;
	*ret_matched = 0;
	while (record_next_line(group, &at, &line, &matched)) {
		if (*ret_matched == g->left && (matched || after-- == 0))
			break;
		*ret_matched += matched;
		end = at;
	}
	return end;
}

static int print_groups(struct grep *g, struct merge *m)
{
	struct record group;
	int r;
	while (g->left && (r = merge_next(m, &group)) > 0) {
		uint64_t matched;
		group.body.len = group_end(g, &group, &matched);
		r = printer_record(&g->printer, &group);
		if (r < 0)
			return r;
		if (g->left != UINT64_MAX)
			g->left -= matched;
	}
	return g->left ? r : 0;
}

static int print_ready(void *user)
{
	struct grep *g = user;
	progress_clear(&g->search.progress);
	return printer_flush(&g->printer);
}

static int print_merged(struct grep *g, struct sorter *const *sorters, size_t n, bool groups)
{
	struct merge *m;
	int r = merge_open(sorters, n, &m);
	if (r < 0)
		return r;
	r = groups ? print_groups(g, m) : print_lines(g, m);
	merge_close(m);
	return r;
}

static int add_context(struct grep *g, struct segments *segments)
{
	const struct options *o = g->search.options;
	struct merge *m;
	sorter_clear(g->groups);
	int r = merge_open(g->hits.sorters, g->hits.n, &m);
	if (r < 0)
		return r;
	r = context_add(m, segments, o->before, o->after, g->groups);
	merge_close(m);
	return r;
}

static int print_paths(struct grep *g, struct segments *segments)
{
	struct buf path = BUF_EMPTY;
	int r = 0;
	for (uint32_t i = 0; r == 0 && i < segments_count(segments); i++) {
		if (!atomic_load(&g->hits.in_segment[i]))
			continue;
		g->found = true;
		buf_clear(&path);
		r = segments_path(segments, i, &path);
		if (r == 0)
			r = printer_text(&g->printer, "%.*s\n", (int)path.len, path.ptr);
	}
	buf_free(&path);
	return r;
}

static int print_day(struct grep *g, struct segments *segments)
{
	int r = 0;
	switch (g->hits.mode) {
	case HITS_COUNT: return 0;
	case HITS_FILES: r = print_paths(g, segments); break;
	case HITS_LINES:
		if (atomic_load(&g->hits.crowded)) {
			r = hits_rounds(&g->hits, segments, print_found, print_ready, g);
		} else if (g->search.options->context) {
			r = add_context(g, segments);
			if (r == 0)
				r = print_merged(g, &g->groups, 1, true);
		} else {
			r = print_merged(g, g->hits.sorters, g->hits.n, false);
		}
		break;
	}
	return r < 0 ? r : printer_flush(&g->printer);
}

/* --- the days --- */

static bool enough(const struct grep *g)
{
	if (search_stopped(&g->search))
		return true;
	return g->hits.mode == HITS_COUNT ? g->hits.lines >= g->left : g->left == 0;
}

static int search_days(struct grep *g)
{
	for (size_t day = 0; day < g->search.n_days && !enough(g); day++) {
		struct segments *segments;
		int r = hits_day(&g->hits, day, &segments);
		if (r < 0)
			return r;
		r = print_day(g, segments);
		g->found = g->found || g->hits.lines > 0;
		segments_free(segments);
		if (r < 0)
			return r == -EPIPE ? r : search_tell(r, "cannot print what was found");
	}
	return 0;
}

static int print_count(struct grep *g)
{
	uint64_t lines = g->hits.lines < g->left ? g->hits.lines : g->left;
	int r = printer_text(&g->printer, "%" PRIu64 "\n", lines);
	if (r == 0)
		r = printer_flush(&g->printer);
	return r == 0 || r == -EPIPE ? r : search_tell(r, "cannot print the count");
}

static int open_grep(struct grep *g, const struct options *o, const atomic_bool *stop)
{
	enum hits_mode mode = o->list_files ? HITS_FILES : o->count ? HITS_COUNT : HITS_LINES;
	g->left = o->max ? o->max : UINT64_MAX;
	g->last_us = RECORD_NO_TIME;
	int r = search_open(&g->search, o, o->pattern, o->fixed, stop);
	if (r < 0)
		return r;
	/* With -v a line stands for itself: an event is not what does not match. */
	bool events = !o->no_events && !o->invert;
	r = hits_open(&g->hits, &g->search, mode, events,
		      o->context ? RECORD_BY_PLACE : RECORD_BY_TIME, o->max);
	g->hits.may_crowd = mode == HITS_LINES && !o->context;
	if (r == 0 && g->hits.may_crowd)
		r = search_want_index(&g->search);
	if (r == 0 && o->context) {
		g->groups = sorter_new(RECORD_BY_TIME, SEARCH_MEMORY / 4, o->max);
		r = g->groups ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = printer_init(&g->printer, o, g->search.matcher);
	return r < 0 ? search_tell(r, "grep") : 0;
}

int grep_run(const struct options *o, const atomic_bool *stop)
{
	struct grep g = {.found = false};
	int r = open_grep(&g, o, stop);
	if (r == 0)
		r = search_days(&g);
	if (r == 0 && g.hits.mode == HITS_COUNT)
		r = print_count(&g);
	if (r == 0 && !g.found && g.search.where)
		r = unknown_fields(&g.search, &g.hits);
	int code = search_exit_found(&g.search, r, g.found);
	hits_close(&g.hits);
	sorter_free(g.groups);
	printer_free(&g.printer);
	search_close(&g.search);
	return code;
}
