/* A question to the archive: see search.h. The composing part of every command: here the stages'
 * errors are told, once.
 *
 *     choose segments -> prune blocks -> scan -> (the command's own) */
#include "collector/query/search.h"

#include "common/file.h"
#include "common/log.h"

#include <errno.h>
#include <stdlib.h>

static int open_pattern(struct search *s, const char *pattern, bool fixed)
{
	struct matcher_error err;
	if (!pattern)
		return 0;
	int r = matcher_new(span_of(pattern), fixed, s->options->ignore_case, &s->matcher, &err);
	if (r == -EINVAL)
		log_error("bad PATTERN: %s at byte %zu: %.*s <-- HERE %s", err.text, err.at,
			  (int)err.at, pattern, pattern + err.at);
	else if (r < 0)
		return search_tell(r, "PATTERN");
	return r;
}

static int open_where(struct search *s)
{
	char why[600];
	const struct option_list *wheres = &s->options->wheres;
	if (wheres->n == 0)
		return 0;
	int r = where_new(wheres->items, wheres->n, &s->where, why, sizeof(why));
	if (r == -EINVAL)
		log_error("-w %s", why);
	else if (r == -E2BIG)
		log_error("-w: at most %d conditions", WHERE_MAX);
	else if (r < 0)
		return search_tell(r, "-w");
	return r;
}

/* The first and the last day that can have such lines. */
static void day_range(const struct options *o, int32_t *ret_first, int32_t *ret_last)
{
	*ret_first = INT32_MIN;
	*ret_last = INT32_MAX;
	if (o->since_us > CIVIL_MIN_US)
		*ret_first = civil_day_of_us(o->since_us);
	if (o->until_us <= CIVIL_MAX_US)
		*ret_last = civil_day_of_us(o->until_us - 1);
}

static void begin(struct search *s, const struct options *options, const atomic_bool *stop)
{
	*s = (struct search){.options = options,
			     .stop = stop,
			     .archive_fd = -1,
			     .trouble = TROUBLE_NONE,
			     .choice = {.services = options->services.items,
					.n_services = options->services.n,
					.hosts = options->hosts.items,
					.n_hosts = options->hosts.n}};
}

static int open_archive(struct search *s)
{
	int32_t first, last;
	const char *dir = s->options->data_dir;
	int r = segments_open_archive(dir, &s->archive_fd);
	if (r < 0)
		return search_tell(r, dir);
	day_range(s->options, &first, &last);
	r = segments_days(s->archive_fd, first, last, &s->days, &s->n_days);
	return r < 0 ? search_tell(r, dir) : 0;
}

int search_open(struct search *s, const struct options *options, const char *pattern, bool fixed,
		const atomic_bool *stop)
{
	begin(s, options, stop);
	int r = open_pattern(s, pattern, fixed);
	if (r == 0)
		r = open_where(s);
	if (r == 0)
		r = open_archive(s);
	if (r < 0)
		return r;
	sieve_init(&s->sieve, s->matcher, options->invert, s->where, options->since_us,
		   options->until_us);
	r = lookup_open(s->archive_fd, &s->sieve.needs, false, &s->lookup);
	if (r < 0)
		return search_tell(r, "the index");
	progress_start(&s->progress, &s->trouble);
	s->threads = scan_threads();
	r = scan_new(s->threads, stop, &s->trouble, &s->progress, &s->scan);
	return r < 0 ? search_tell(r, "cannot start threads") : 0;
}

int search_want_index(struct search *s)
{
	if (s->lookup)
		return 0;
	int r = lookup_open(s->archive_fd, &s->sieve.needs, true, &s->lookup);
	return r < 0 ? search_tell(r, "the index") : 0;
}

void search_close(struct search *s)
{
	scan_free(s->scan);
	lookup_close(s->lookup);
	matcher_free(s->matcher);
	where_free(s->where);
	free(s->days);
	file_close(&s->archive_fd);
}

int search_list(struct search *s, size_t day, struct segments **ret)
{
	int r = segments_list(s->archive_fd, s->days[day], &s->choice, &s->trouble, s->threads,
			      ret);
	if (r < 0)
		return search_tell(r, s->options->data_dir);
	scope_add(&s->scope, *ret);
	progress_day(&s->progress, day + 1, s->n_days, s->days[day], segments_bytes(*ret));
	return 0;
}

int search_day(struct search *s, const struct segments *segments)
{
	int r = lookup_day(s->lookup, segments_day(segments));
	return r < 0 ? search_tell(r, "the index") : 0;
}

int search_scan(struct search *s, struct segments *segments, const struct scan_ops *ops,
		void *const *workers)
{
	int r = search_day(s, segments);
	if (r < 0)
		return r;
	r = scan_day(s->scan, segments, s->lookup, ops, workers);
	progress_clear(&s->progress);
	return r < 0 ? search_tell(r, "the search cannot go on") : 0;
}

bool search_stopped(const struct search *s)
{
	return atomic_load(s->stop);
}

int search_tell(int error, const char *what)
{
	log_error("%s: %s", what, strerror(-error));
	return error;
}

/* How it ended: 0 well. */
static int ending(struct search *s, int result, int trouble_code)
{
	bool trouble = trouble_sum(&s->trouble);
	if (search_stopped(s)) {
		log_warning("interrupted: this is what was found until then");
		return EXIT_INTERRUPTED;
	}
	if (result == -EINVAL)
		return EXIT_WRONG;
	return trouble || (result < 0 && result != -EPIPE) ? trouble_code : 0;
}

static void tell_scope(struct search *s)
{
	scope_tell(&s->scope, s->archive_fd, &s->choice, s->days, s->n_days);
}

int search_exit(struct search *s, int result)
{
	int code = ending(s, result, EXIT_FAILED);
	if (code == 0 && result == 0 && s->scope.files == 0)
		tell_scope(s);
	return code;
}

int search_exit_found(struct search *s, int result, bool found)
{
	int code = ending(s, result, EXIT_TROUBLE);
	if (code == 0 && result == 0 && !found)
		tell_scope(s);
	return code ? code : found ? EXIT_FOUND : EXIT_NOT_FOUND;
}
