/* `haul tail`: see haul(1).
 *
 *     list the newest days -> back-log -> follow: read what is new, sort it by time, print
 *
 * The lists that the back-log is taken from are the ones that following begins at, so that nothing
 * is shown twice or missed between them. What comes within one look is printed in order of time;
 * across looks the order is that of arrival. */
#include "collector/query/tail.h"

#include "collector/query/follow.h"
#include "collector/query/hits.h"
#include "collector/query/nearby.h"
#include "collector/query/printer.h"
#include "collector/query/recent.h"
#include "common/clock.h"
#include "common/num.h"

#include <errno.h>
#include <unistd.h>

enum {
	DAYS_FOLLOWED = 8,             /* the newest: what comes late for older ones is not shown */
	ROUND_BYTES = 4 * 1024 * 1024, /* printed before more is read */
};

/* How far back a shard is read for its last lines when few of them match. */
#define BACKLOG_BYTES (UINT64_C(64) << 20)
#define CADENCE_NS    (20 * NUM_MS_NS) /* between two looks */
#define WAIT_NS       (NUM_SEC_NS)     /* for a signal that came just before the wait */

struct tail {
	struct search search;
	struct sieve_scratch *sieve;
	struct printer printer;
	struct sorter *round; /* what this look has brought */
	uint64_t round_bytes, round_lines;
	bool events;
	uint64_t left; /* lines that may yet be printed; UINT64_MAX: no limit */
	struct follow *follow;
};

/* --- printing a round --- */

static int print_round(struct tail *t, uint64_t skip)
{
	struct merge *m;
	struct record record;
	if (t->round_lines == 0)
		return 0;
	int r = merge_open(&t->round, 1, &m);
	if (r < 0)
		return r;
	while (t->left && (r = merge_next(m, &record)) > 0) {
		if (skip && skip--)
			continue;
		r = printer_record(&t->printer, &record);
		if (r < 0)
			break;
		if (record.matched && t->left != UINT64_MAX)
			t->left--;
	}
	merge_close(m);
	sorter_clear(t->round);
	t->round_bytes = t->round_lines = 0;
	return r < 0 ? r : printer_flush(&t->printer);
}

static int add_line(struct tail *t, uint64_t shard, struct span line, bool matched)
{
	/* Lines of one time stand in order of shard and arrival. */
	struct place at = {.block = shard, .offset = t->round_lines++};
	t->round_bytes += line.len;
	return sorter_add_line(t->round, line, at, matched);
}

/* --- following --- */

static int add_before(struct tail *t, uint64_t shard, struct span lines)
{
	int r = 0;
	while (r == 0 && lines.len) {
		size_t len = span_find(lines, '\n');
		r = add_line(t, shard, span_first(lines, len), false);
		lines = span_from(lines, len + 1);
	}
	return r;
}

/* A line that is shown or not for the sake of its event too. */
static int take_event_line(struct tail *t, uint64_t shard, struct recent *recent, struct span line,
			   bool matched)
{
	int r = recent_add(recent, line, matched);
	if (r <= 0)
		return r;
	r = add_before(t, shard, recent_before(recent));
	return r < 0 ? r : add_line(t, shard, line, matched);
}

/* Every line up to `end` that did not match. */
static int take_between(struct tail *t, uint64_t shard, struct recent *recent, const char *at,
			const char *end)
{
	int r = 0;
	while (r == 0 && recent && at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		r = take_event_line(t, shard, recent, span_make(at, (size_t)(lf - at)), false);
		at = lf + 1;
	}
	return r;
}

static int take_lines(void *user, uint64_t shard, struct follow_state *state, struct span lines)
{
	struct tail *t = user;
	const char *at = lines.ptr, *end = lines.ptr + lines.len;
	struct span line;
	int r;
	if (t->events && !state->ptr && !(state->ptr = recent_new()))
		return -ENOMEM;
	struct recent *recent = state->ptr;
	sieve_start(t->sieve, lines);
	while ((r = sieve_next(t->sieve, &line)) > 0) {
		r = take_between(t, shard, recent, at, line.ptr);
		if (r == 0)
			r = recent ? take_event_line(t, shard, recent, line, true)
				   : add_line(t, shard, line, true);
		if (r < 0)
			return r;
		at = line.ptr + line.len + 1;
	}
	if (r == 0)
		r = take_between(t, shard, recent, at, end);
	if (r == 0 && t->round_bytes >= ROUND_BYTES)
		r = print_round(t, 0);
	return r;
}

static void forget_shard(void *user, struct follow_state *state)
{
	(void)user;
	recent_free(state->ptr);
}

static int follow(struct tail *t)
{
	int r = 0;
	while (r == 0 && t->left && !search_stopped(&t->search)) {
		int64_t started_ns = clock_mono_ns();
		r = follow_read(t->follow);
		if (r == 0)
			r = print_round(t, 0);
		/* Many small events are taken together; with few, this waits for the first. */
		int64_t rest_ns = CADENCE_NS - (clock_mono_ns() - started_ns);
		if (r == 0 && rest_ns > 0) {
			const struct timespec pause = {.tv_nsec = rest_ns};
			(void)nanosleep(&pause, NULL);
		}
		if (r == 0)
			r = follow_wait(t->follow, STDOUT_FILENO, WAIT_NS);
	}
	return r;
}

/* --- the back-log --- */

/* The last lines of a window that match, at most `max` in all, from the end on. */
static int take_last(struct tail *t, const struct window *w, uint64_t max, uint64_t *count)
{
	const char *end = w->lines.ptr + w->lines.len;
	int r = 0;
	while (r == 0 && *count < max && end > w->lines.ptr) {
		const char *lf = memrchr(w->lines.ptr, '\n', (size_t)(end - 1 - w->lines.ptr));
		const char *start = lf ? lf + 1 : w->lines.ptr;
		struct span line;
		sieve_start(t->sieve, span_make(start, (size_t)(end - start)));
		r = sieve_next(t->sieve, &line);
		if (r > 0) {
			++*count;
			t->round_lines++;
			r = sorter_add_line(t->round, line, window_place(w, start), true);
		}
		end = start;
	}
	return r;
}

/* The last lines of a shard, which ends with segment `last`. */
static int shard_backlog(struct tail *t, struct nearby *nearby, struct segments *segments,
			 uint32_t last)
{
	const struct segment *seg = segments_get(segments, last);
	struct place before = {.segment = last};
	uint64_t count = 0, bytes = 0;
	if (segment_is_plain(seg))
		before.offset = seg->size;
	else
		before.block = seg->size;
	while (count < t->search.options->backlog && bytes < BACKLOG_BYTES &&
	       !search_stopped(&t->search)) {
		struct window w;
		int r = nearby_before(nearby, segments, before, &w);
		if (r <= 0)
			return r;
		before = w.at;
		bytes += w.lines.len;
		r = take_last(t, &w, t->search.options->backlog, &count);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The last lines of each shard of a day. */
static int day_backlog(struct tail *t, struct segments *segments)
{
	struct nearby *nearby = nearby_new();
	int r = nearby ? 0 : -ENOMEM;
	for (uint32_t i = 0; r == 0 && i < segments_count(segments); i++)
		if (segments_get(segments, i)->next == SEGMENT_NONE)
			r = shard_backlog(t, nearby, segments, i);
	nearby_free(nearby);
	return r;
}

static int backlog(struct tail *t, struct segments *const *lists, size_t n)
{
	uint64_t wanted = t->search.options->backlog;
	int r = 0;
	while (r == 0 && n > 0 && t->round_lines < wanted)
		r = day_backlog(t, lists[--n]);
	return r < 0 ? r : print_round(t, t->round_lines > wanted ? t->round_lines - wanted : 0);
}

/* --- since a time --- */

static int print_hits(struct tail *t, struct hits *hits)
{
	struct merge *m;
	struct record record;
	int r = merge_open(hits->sorters, hits->n, &m);
	if (r < 0)
		return r;
	while ((r = merge_next(m, &record)) > 0) {
		r = printer_record(&t->printer, &record);
		if (r < 0)
			break;
	}
	merge_close(m);
	return r < 0 ? r : printer_flush(&t->printer);
}

/* Everything since then, as grep would show it. */
static int backlog_since(struct tail *t, struct segments *const *lists, size_t n)
{
	struct hits hits;
	int r = hits_open(&hits, &t->search, HITS_LINES, t->events, RECORD_BY_TIME, 0);
	for (size_t i = 0; r == 0 && i < n && !search_stopped(&t->search); i++) {
		r = hits_list(&hits, lists[i]);
		if (r == 0)
			r = print_hits(t, &hits);
	}
	hits_close(&hits);
	return r;
}

/* --- */

/* Lists the newest days, follows from there, and shows what was before. */
static int begin(struct tail *t)
{
	struct segments *lists[DAYS_FOLLOWED];
	struct search *s = &t->search;
	size_t n = 0, first = s->n_days > DAYS_FOLLOWED ? s->n_days - DAYS_FOLLOWED : 0;
	const struct follow_ops ops = {.lines = take_lines, .forget = forget_shard, .user = t};
	int r = follow_new(s->archive_fd, s->options->data_dir, first ? s->days[first] : INT32_MIN,
			   &s->choice, &s->trouble, &ops, &t->follow);
	for (size_t day = first; r == 0 && day < s->n_days; day++) {
		r = search_list(s, day, &lists[n]);
		if (r < 0)
			break;
		r = follow_adopt(t->follow, lists[n++]);
	}
	if (r == 0)
		r = s->options->since_us == INT64_MIN ? backlog(t, lists, n)
						      : backlog_since(t, lists, n);
	while (n > 0)
		segments_free(lists[--n]);
	return r;
}

static int open_tail(struct tail *t, const struct options *o, const atomic_bool *stop)
{
	int r = search_open(&t->search, o, o->pattern, o->fixed, stop);
	if (r < 0)
		return r;
	t->left = o->max ? o->max : UINT64_MAX;
	t->events = !o->no_events && !o->invert && !sieve_all(&t->search.sieve);
	t->sieve = sieve_scratch_new(&t->search.sieve);
	t->round = sorter_new(RECORD_BY_TIME, SEARCH_MEMORY, 0);
	r = t->sieve && t->round ? printer_init(&t->printer, o, t->search.matcher) : -ENOMEM;
	return r < 0 ? search_tell(r, "tail") : 0;
}

int tail_run(const struct options *o, const atomic_bool *stop)
{
	struct tail t = {.follow = NULL};
	int r = open_tail(&t, o, stop);
	if (r == 0) {
		r = begin(&t);
		if (r == 0)
			r = follow(&t);
		if (r < 0 && r != -EPIPE)
			(void)search_tell(r, "tail cannot go on");
	}
	bool trouble = trouble_sum(&t.search.trouble);
	int code = r == -EINVAL                        ? EXIT_WRONG
		   : trouble || (r < 0 && r != -EPIPE) ? EXIT_FAILED
						       : EXIT_DONE;
	follow_free(t.follow);
	sieve_scratch_free(t.sieve);
	sorter_free(t.round);
	printer_free(&t.printer);
	search_close(&t.search);
	return code;
}
