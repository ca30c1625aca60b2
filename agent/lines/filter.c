/* keep, drop, mask: see filter.h. Called by the pump with the whole line, before it is
 * cut at max_line.
 *
 * When a pattern cannot decide, each kind fails to its safe side: keep and drop let the
 * line go, mask hides all of it. */
#include "agent/lines/filter.h"

#include "agent/lines/regex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct patterns {
	struct regex **items;
	size_t n;
};

struct filter {
	struct patterns keep, drop, mask;
	struct buf masked[2]; /* what one pattern leaves the next one reads */
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
	buf_free(&f->masked[0]);
	buf_free(&f->masked[1]);
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

size_t filter_mask(struct filter *f, struct span *line)
{
	size_t places = 0;
	for (size_t i = 0; i < f->mask.n; i++) {
		struct buf *out = &f->masked[i % 2];
		buf_clear(out);
		int r = regex_mask(f->mask.items[i], *line, out);
		if (r < 0) {
			*line = SPAN_LITERAL("***");
			return places + 1;
		}
		if (r > 0)
			*line = buf_span(out);
		places += (size_t)r;
	}
	return places;
}
