/* keep, drop, mask: see filter.h. Called by the pump with the whole line, before it is cut at
 * max_line.
 *
 * When a pattern cannot decide, each kind fails to its safe side: keep and drop let the line go,
 * mask hides all of it. */
#include "agent/lines/filter.h"

#include "agent/lines/regex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define STARS SPAN_LITERAL("***")

enum { RANGES_MAX = 64 * 1024 }; /* of a line; one that has more is hidden as a whole */

struct patterns {
	struct regex **items;
	size_t n;
};

struct filter {
	struct patterns keep, drop, mask;
	struct buf ranges; /* of the line at hand that are to be hidden: struct regex_range */
	struct buf masked;
};

static void patterns_free(struct patterns *p)
{
	for (size_t i = 0; i < p->n; i++)
		regex_free(p->items[i]);
	free(p->items);
}

static int patterns_new(struct patterns *p, const char *kind, const struct conf_list *list,
			char *ret_why, size_t why_size)
{
	if (!list->n)
		return 0;
	p->items = calloc(list->n, sizeof(struct regex *));
	if (!p->items)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		char why[192];
		int r = regex_new(list->items[i], &p->items[i], why, sizeof(why));
		if (r < 0) {
			if (r == -EINVAL)
				(void)snprintf(ret_why, why_size, "%s = %s: %s", kind,
					       list->items[i], why);
			return r;
		}
		p->n++;
	}
	return 0;
}

int filter_new(const struct conf_list *keep, const struct conf_list *drop,
	       const struct conf_list *mask, struct filter **ret, char *ret_why, size_t why_size)
{
	if (!keep->n && !drop->n && !mask->n) {
		*ret = NULL;
		return 0;
	}
	struct filter *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	int r = patterns_new(&f->keep, "keep", keep, ret_why, why_size);
	if (r == 0)
		r = patterns_new(&f->drop, "drop", drop, ret_why, why_size);
	if (r == 0)
		r = patterns_new(&f->mask, "mask", mask, ret_why, why_size);
	if (r < 0) {
		filter_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	patterns_free(&f->keep);
	patterns_free(&f->drop);
	patterns_free(&f->mask);
	buf_free(&f->ranges);
	buf_free(&f->masked);
	free(f);
}

static bool any_matches(const struct patterns *p, struct span line, bool undecided)
{
	for (size_t i = 0; i < p->n; i++) {
		int r = regex_match(p->items[i], line);
		if (r > 0 || (r < 0 && undecided))
			return true;
	}
	return false;
}

bool filter_keeps(struct filter *f, struct span line)
{
	if (f->keep.n && !any_matches(&f->keep, line, true))
		return false;
	return !any_matches(&f->drop, line, false);
}

bool filter_masks(const struct filter *f)
{
	return f && f->mask.n;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct regex_range *x = a, *y = b;
	return (x->from > y->from) - (x->from < y->from);
}

/* One pattern's matches come in order. */
static void sort_ranges(struct regex_range *ranges, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (ranges[i].from < ranges[i - 1].from) {
			qsort(ranges, n, sizeof(*ranges), compare_ranges);
			return;
		}
	}
}

/* Appends `line` with *** for each range; those that overlap are one. Returns how many. */
static int hide(struct span line, const struct regex_range *ranges, size_t n, struct buf *out)
{
	size_t copied = 0;
	int places = 0;
	for (size_t i = 0; i < n; places++) {
		size_t from = ranges[i].from, to = ranges[i].to;
		for (i++; i < n && ranges[i].from < to; i++)
			to = ranges[i].to > to ? ranges[i].to : to;
		if (buf_add(out, line.ptr + copied, from - copied) < 0 ||
		    buf_add_span(out, STARS) < 0)
			return -ENOMEM;
		copied = to;
	}
	return buf_add_span(out, span_from(line, copied)) < 0 ? -ENOMEM : places;
}

static int find_places(struct filter *f, struct span line)
{
	int r = 0;
	buf_clear(&f->ranges);
	f->ranges.max = RANGES_MAX * sizeof(struct regex_range);
	for (size_t i = 0; i < f->mask.n && r == 0; i++)
		r = regex_find_all(f->mask.items[i], line, &f->ranges);
	return r;
}

size_t filter_mask(struct filter *f, struct span *line, bool whole)
{
	if (!filter_masks(f) || !line->len)
		return 0;
	int places = whole ? find_places(f, *line) : -ENODATA;
	struct regex_range *ranges = (struct regex_range *)(void *)f->ranges.ptr;
	size_t n = f->ranges.len / sizeof(*ranges);
	if (places == 0 && n) {
		sort_ranges(ranges, n);
		buf_clear(&f->masked);
		places = hide(*line, ranges, n, &f->masked);
	}
	if (places > 0)
		*line = buf_span(&f->masked);
	if (places < 0) {
		*line = STARS;
		places = 1;
	}
	return (size_t)places;
}
