/* Selecting lines: see sieve.h. Called for every window of a search.
 *
 * One of the tests leads, the others are asked of what it finds: the pattern, if it has a string to
 * look for; else a condition with such a string; else the pattern line by line. Times are compared
 * as the text that they are: 27 bytes, in the order of time. */
#include "collector/query/sieve.h"

#include <stdlib.h>

enum leader {
	LEAD_PATTERN, /* lines that match come from the matcher */
	LEAD_WHERE,   /* lines that hold what a condition demands */
	LEAD_INVERT,  /* lines between those that match */
	LEAD_NONE,    /* every line */
};

struct sieve_scratch {
	const struct sieve *sieve;
	enum leader leader;
	struct matcher_scratch *matcher;
	struct where_scratch *where;
	struct finder_walk walk;
	const char *at, *end;
	struct span match; /* LEAD_INVERT: the next line that matches; ptr at the end: none */
};

static enum leader leader_of(const struct sieve *s)
{
	bool pattern = s->matcher && !matcher_all(s->matcher);
	if (s->lead && (!pattern || s->invert || matcher_required(s->matcher)->n == 0))
		return LEAD_WHERE;
	if (pattern)
		return s->invert ? LEAD_INVERT : LEAD_PATTERN;
	return LEAD_NONE;
}

void sieve_init(struct sieve *s, const struct matcher *matcher, bool invert,
		const struct where *where, int64_t since_us, int64_t until_us)
{
	*s = (struct sieve){.matcher = matcher, .invert = invert, .where = where};
	s->needs.since_us = since_us;
	s->needs.until_us = until_us;
	s->has_since = since_us > CIVIL_MIN_US;
	s->has_until = until_us <= CIVIL_MAX_US;
	if (s->has_since)
		civil_format_us(s->since, since_us < CIVIL_MAX_US ? since_us : CIVIL_MAX_US);
	if (s->has_until)
		civil_format_us(s->until, until_us > CIVIL_MIN_US ? until_us : CIVIL_MIN_US);
	if (matcher && !invert && matcher_required(matcher)->n)
		s->needs.items[s->needs.n++] = (struct need){.any_of = matcher_required(matcher)};
	size_t own = s->needs.n;
	if (where)
		where_needs(where, &s->needs);
	if (s->needs.n > own)
		s->lead = s->needs.items[own].any_of;
}

const struct finder *sieve_lead(const struct sieve *s)
{
	const struct finder *strings = NULL;
	switch (leader_of(s)) {
	case LEAD_PATTERN: strings = matcher_required(s->matcher); break;
	case LEAD_WHERE: strings = s->lead; break;
	case LEAD_INVERT:
	case LEAD_NONE: break;
	}
	return strings && strings->n ? strings : NULL;
}

bool sieve_all(const struct sieve *s)
{
	return leader_of(s) == LEAD_NONE && !s->where && !s->has_since && !s->has_until &&
	       !s->invert;
}

struct sieve_scratch *sieve_scratch_new(const struct sieve *s)
{
	struct sieve_scratch *x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->sieve = s;
	x->leader = leader_of(s);
	if (s->matcher)
		x->matcher = matcher_scratch_new(s->matcher);
	if (s->where)
		x->where = where_scratch_new(s->where);
	if ((s->matcher && !x->matcher) || (s->where && !x->where)) {
		sieve_scratch_free(x);
		return NULL;
	}
	return x;
}

void sieve_scratch_free(struct sieve_scratch *x)
{
	if (!x)
		return;
	matcher_scratch_free(x->matcher);
	where_scratch_free(x->where);
	free(x);
}

struct where_scratch *sieve_where(struct sieve_scratch *x)
{
	return x->where;
}

/* LEAD_INVERT: where the next line stands that is not wanted. */
static void find_match(struct sieve_scratch *x, const char *from)
{
	if (!matcher_next(x->matcher, from, &x->match))
		x->match = span_make(x->end, 0);
}

void sieve_start(struct sieve_scratch *x, struct span lines)
{
	x->at = lines.ptr;
	x->end = lines.ptr + lines.len;
	switch (x->leader) {
	case LEAD_PATTERN: matcher_start(x->matcher, lines); break;
	case LEAD_WHERE: finder_walk_start(&x->walk, x->sieve->lead, lines); break;
	case LEAD_INVERT:
		matcher_start(x->matcher, lines);
		find_match(x, x->at);
		break;
	case LEAD_NONE: break;
	}
}

static struct span line_at(const struct sieve_scratch *x, const char *start, const char *at)
{
	const char *lf = memchr(at, '\n', (size_t)(x->end - at));
	return span_make(start, (size_t)(lf - start));
}

/* What the leader has next. */
static bool next_candidate(struct sieve_scratch *x, struct span *ret)
{
	if (x->at >= x->end)
		return false;
	switch (x->leader) {
	case LEAD_PATTERN:
		if (!matcher_next(x->matcher, x->at, ret))
			return false;
		break;
	case LEAD_WHERE: {
		const char *hit = finder_walk_next(&x->walk, x->at);
		if (!hit)
			return false;
		const char *lf = memrchr(x->at, '\n', (size_t)(hit - x->at));
		*ret = line_at(x, lf ? lf + 1 : x->at, hit);
		break;
	}
	case LEAD_INVERT:
		while (x->at == x->match.ptr && x->at < x->end) {
			x->at += x->match.len + 1;
			find_match(x, x->at);
		}
		if (x->at >= x->end)
			return false;
		*ret = line_at(x, x->at, x->at);
		break;
	case LEAD_NONE: *ret = line_at(x, x->at, x->at); break;
	}
	x->at = ret->ptr + ret->len + 1;
	return true;
}

static int compare_time(struct span line, const char bound[CIVIL_TIME_LEN])
{
	size_t len = line.len < CIVIL_TIME_LEN ? line.len : CIVIL_TIME_LEN;
	int r = memcmp(line.ptr, bound, len);
	return r ? r : len < CIVIL_TIME_LEN ? -1 : 0;
}

int sieve_next(struct sieve_scratch *x, struct span *ret_line)
{
	const struct sieve *s = x->sieve;
	while (next_candidate(x, ret_line)) {
		if (s->has_since && compare_time(*ret_line, s->since) < 0)
			continue;
		if (s->has_until && compare_time(*ret_line, s->until) >= 0)
			continue;
		if (x->leader == LEAD_WHERE && s->matcher &&
		    matcher_test(x->matcher, *ret_line) == s->invert)
			continue;
		/* An inverted pattern that matches every line selects none. */
		if (x->leader == LEAD_NONE && s->matcher && s->invert)
			continue;
		if (x->where) {
			int r = where_test(x->where, *ret_line);
			if (r < 0)
				return r;
			if (r == 0)
				continue;
		}
		return 1;
	}
	return 0;
}
