/* Matching lines: see matcher.h. Called by the sieve for every window, by the printer for
 * highlighting.
 *
 * A fixed string is a search over the window. An expression is led by the strings that it demands:
 * only lines that hold one are given to PCRE2's JIT code; without such strings every line is. Lines
 * are matched one by one, never the window as a whole, so that nothing can match across a line end.
 *
 * What costs too much backtracking (the match limit) counts as not matching; matcher_new sets the
 * limit well above what sane expressions need. */
#include "collector/query/matcher.h"

#include "collector/query/required.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	MATCH_LIMIT = 10 * 1000 * 1000,
	JIT_STACK_FIRST = 32 * 1024,
	JIT_STACK_MAX = 1024 * 1024,
};

struct matcher {
	bool all;             /* an empty pattern */
	bool literal;         /* the finder's one string decides alone */
	struct finder finder; /* n = 0: nothing leads the search */
	pcre2_code *code;     /* NULL when literal or all */
	bool jit;
};

struct matcher_scratch {
	const struct matcher *matcher;
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	struct finder_walk walk;
	struct span lines;
};

/* An expression of ASCII that looks at single bytes only in ways where characters make no
 * difference needs no UTF mode, which costs a third of the speed. */
static bool needs_utf(struct span pattern)
{
	for (size_t i = 0; i < pattern.len; i++) {
		unsigned char c = (unsigned char)pattern.ptr[i];
		char after = i + 1 < pattern.len ? pattern.ptr[i + 1] : '\0';
		if (c >= 0x80 || c == '.')
			return true;
		if (c == '[' && after == '^')
			return true;
		if (c == '\\' && after && strchr("DWSHVNRXCpPxo", after))
			return true;
		if (c == '(' && after == '*')
			return true;
		if (c == '\\')
			i++;
	}
	return false;
}

static int compile(struct matcher *m, struct span pattern, uint32_t options,
		   struct matcher_error *err)
{
	int code;
	PCRE2_SIZE at;
	if (needs_utf(pattern))
		options |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
	m->code = pcre2_compile((PCRE2_SPTR)pattern.ptr, pattern.len, options, &code, &at, NULL);
	if (!m->code) {
		err->at = at;
		if (pcre2_get_error_message(code, (PCRE2_UCHAR *)err->text, sizeof(err->text)) < 0)
			(void)snprintf(err->text, sizeof(err->text), "error %d", code);
		return code == PCRE2_ERROR_NOMEMORY ? -ENOMEM : -EINVAL;
	}
	m->jit = pcre2_jit_compile(m->code, PCRE2_JIT_COMPLETE) == 0;
	return 0;
}

static int lead(struct matcher *m, struct span pattern, bool ignore_case)
{
	struct required *required = malloc(sizeof(*required));
	struct span strings[REQUIRED_MAX];
	if (!required)
		return -ENOMEM;
	required_of(pattern, ignore_case, required);
	for (size_t i = 0; i < required->n; i++)
		strings[i] = span_make(required->text[i], required->len[i]);
	int r = finder_init(&m->finder, strings, required->n, ignore_case);
	free(required);
	return r;
}

static bool is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] >= 0x80)
			return false;
	return true;
}

static int prepare(struct matcher *m, struct span pattern, bool fixed, bool ignore_case,
		   struct matcher_error *err)
{
	size_t line_feed = span_find(pattern, '\n');
	if (line_feed < pattern.len) {
		err->at = line_feed;
		(void)snprintf(err->text, sizeof(err->text), "a line feed never matches");
		return -EINVAL;
	}
	if (pattern.len == 0) {
		m->all = true;
		return 0;
	}
	if (fixed && (!ignore_case || is_ascii(pattern))) {
		m->literal = true;
		return finder_init(&m->finder, &pattern, 1, ignore_case);
	}
	int r = compile(m, pattern,
			(fixed ? PCRE2_LITERAL : 0) | (ignore_case ? PCRE2_CASELESS : 0), err);
	return r < 0 || fixed ? r : lead(m, pattern, ignore_case);
}

int matcher_new(struct span pattern, bool fixed, bool ignore_case, struct matcher **ret,
		struct matcher_error *err)
{
	struct matcher *m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	int r = prepare(m, pattern, fixed, ignore_case, err);
	if (r < 0) {
		matcher_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

void matcher_free(struct matcher *m)
{
	if (!m)
		return;
	finder_clear(&m->finder);
	pcre2_code_free(m->code);
	free(m);
}

struct matcher_scratch *matcher_scratch_new(const struct matcher *m)
{
	struct matcher_scratch *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->matcher = m;
	if (!m->code)
		return s;
	s->data = pcre2_match_data_create_from_pattern(m->code, NULL);
	s->context = pcre2_match_context_create(NULL);
	s->stack = m->jit ? pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MAX, NULL) : NULL;
	if (!s->data || !s->context || (m->jit && !s->stack)) {
		matcher_scratch_free(s);
		return NULL;
	}
	pcre2_set_match_limit(s->context, MATCH_LIMIT);
	if (s->stack)
		pcre2_jit_stack_assign(s->context, NULL, s->stack);
	return s;
}

void matcher_scratch_free(struct matcher_scratch *s)
{
	if (!s)
		return;
	pcre2_match_data_free(s->data);
	pcre2_match_context_free(s->context);
	pcre2_jit_stack_free(s->stack);
	free(s);
}

bool matcher_all(const struct matcher *m)
{
	return m->all;
}

const struct finder *matcher_required(const struct matcher *m)
{
	return &m->finder;
}

/* The text has been checked or needs no check: PCRE2_MATCH_INVALID_UTF makes bad bytes match
 * nothing. */
static bool run_code(struct matcher_scratch *s, struct span text, size_t from)
{
	const char *ptr = text.ptr ? text.ptr : "";
	int r = s->matcher->jit ? pcre2_jit_match(s->matcher->code, (PCRE2_SPTR)ptr, text.len, from,
						  0, s->data, s->context)
				: pcre2_match(s->matcher->code, (PCRE2_SPTR)ptr, text.len, from, 0,
					      s->data, s->context);
	return r >= 0;
}

void matcher_start(struct matcher_scratch *s, struct span lines)
{
	s->lines = lines;
	if (s->matcher->finder.n)
		finder_walk_start(&s->walk, &s->matcher->finder, lines);
}

/* The line around `at`, looking back no further than `from`. */
static struct span line_around(const struct matcher_scratch *s, const char *from, const char *at)
{
	const char *end = s->lines.ptr + s->lines.len;
	const char *before = memrchr(from, '\n', (size_t)(at - from));
	const char *start = before ? before + 1 : from;
	return span_make(start, (size_t)((char *)memchr(at, '\n', (size_t)(end - at)) - start));
}

static bool next_led(struct matcher_scratch *s, const char *from, struct span *ret_line)
{
	const char *at;
	while ((at = finder_walk_next(&s->walk, from))) {
		struct span line = line_around(s, from, at);
		if (s->matcher->literal || run_code(s, line, 0)) {
			*ret_line = line;
			return true;
		}
		from = line.ptr + line.len + 1;
	}
	return false;
}

bool matcher_next(struct matcher_scratch *s, const char *from, struct span *ret_line)
{
	const char *end = s->lines.ptr + s->lines.len;
	if (from >= end)
		return false;
	if (s->matcher->finder.n)
		return next_led(s, from, ret_line);
	while (from < end) {
		struct span line = line_around(s, from, from);
		if (s->matcher->all || run_code(s, line, 0)) {
			*ret_line = line;
			return true;
		}
		from = line.ptr + line.len + 1;
	}
	return false;
}

bool matcher_test(struct matcher_scratch *s, struct span text)
{
	const struct matcher *m = s->matcher;
	if (m->all)
		return true;
	if (m->finder.n && !finder_in(&m->finder, text))
		return false;
	return m->literal || run_code(s, text, 0);
}

bool matcher_find(struct matcher_scratch *s, struct span text, size_t from, struct span *ret_match)
{
	const struct matcher *m = s->matcher;
	if (m->literal) {
		const struct literal *l = &m->finder.literals[0];
		const char *at = literal_find(l, text.ptr + from, text.len - from);
		if (at)
			*ret_match = span_make(at, l->needle.len);
		return at;
	}
	while (m->code && from <= text.len && run_code(s, text, from)) {
		const PCRE2_SIZE *place = pcre2_get_ovector_pointer(s->data);
		if (place[1] > place[0]) {
			*ret_match = span_make(text.ptr + place[0], place[1] - place[0]);
			return true;
		}
		from = place[1] >= from ? place[1] + 1 : from + 1;
	}
	return false;
}
