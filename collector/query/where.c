/* Conditions on fields: see where.h. Called by the sieve for lines that the pattern left over.
 *
 * = and != compare the text of the value (a string decoded, a number as written); > >= < <= compare
 * as numbers when the wanted value is one, else bytewise; ~ and !~ search for an expression. So
 * that most lines are not taken apart, a condition names what must stand in a line: the wanted
 * value of = and the field's name, where they hold no byte that JSON might write in another way. */
#include "collector/query/where.h"

#include "collector/query/matcher.h"
#include "common/field.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum op { OP_EQ, OP_NE, OP_GT, OP_GE, OP_LT, OP_LE, OP_LIKE, OP_UNLIKE };

enum { NUMBER_MAX_LEN = 63 };

struct condition {
	struct field field;
	enum op op;
	struct span wanted;
	bool is_number;
	double number;
	struct matcher *matcher;     /* ~ and !~ */
	struct finder name, literal; /* what a line must hold; n = 0: nothing */
	bool literal_whole;
};

struct where {
	struct condition items[WHERE_MAX];
	size_t n;
};

struct where_scratch {
	const struct where *where;
	struct field_scratch field;
	struct matcher_scratch *matchers[WHERE_MAX];
	bool seen[WHERE_MAX];
};

/* --- parsing --- */

static bool take_op(struct span text, size_t at, enum op *ret, size_t *ret_len)
{
	static const struct {
		const char *text;
		enum op op;
	} ops[] = {/* the longer ones first */
		   {"!=", OP_NE}, {"!~", OP_UNLIKE}, {">=", OP_GE}, {"<=", OP_LE},
		   {"=", OP_EQ},  {"~", OP_LIKE},    {">", OP_GT},  {"<", OP_LT}};
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		if (span_starts_with(span_from(text, at), span_of(ops[i].text))) {
			*ret = ops[i].op;
			*ret_len = strlen(ops[i].text);
			return true;
		}
	}
	return false;
}

static bool parse_number(struct span s, double *ret)
{
	char text[NUMBER_MAX_LEN + 1], *end;
	if (s.len == 0 || s.len > NUMBER_MAX_LEN)
		return false;
	char c = s.ptr[0];
	if (!(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '+')
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	*ret = strtod(text, &end);
	return *end == '\0';
}

/* A byte that is written in one way only in JSON and in logfmt. */
static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.' || c == ':' || c == ' ';
}

static bool all_plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_plain(s.ptr[i]))
			return false;
	return s.len > 0;
}

static int demand(struct condition *c)
{
	struct span name = field_literal(&c->field);
	int r = 0;
	if (c->field.kind != FIELD_MESSAGE)
		return 0;
	if (all_plain(name))
		r = finder_init(&c->name, &name, 1, false);
	if (r == 0 && c->op == OP_EQ && all_plain(c->wanted)) {
		r = finder_init(&c->literal, &c->wanted, 1, false);
		c->literal_whole = true;
	}
	if (c->op == OP_LIKE) {
		const struct finder *required = matcher_required(c->matcher);
		struct span strings[FINDER_MAX];
		bool plain = true;
		for (size_t i = 0; i < required->n; i++) {
			strings[i] = required->literals[i].needle;
			plain = plain && all_plain(strings[i]);
		}
		if (r == 0 && plain && required->n)
			r = finder_init(&c->literal, strings, required->n, false);
	}
	return r;
}

static int parse(struct condition *c, struct span text, char *why, size_t why_size)
{
	size_t at = 0, len = 0;
	while (at < text.len && !take_op(text, at, &c->op, &len))
		at++;
	if (at == text.len || field_init(&c->field, span_trim(span_first(text, at))) < 0) {
		(void)snprintf(why, why_size,
			       at == text.len ? "no operator (= != > >= < <= ~ !~) behind the field"
					      : "no field before the operator");
		return -EINVAL;
	}
	c->wanted = span_from(text, at + len);
	c->is_number = parse_number(c->wanted, &c->number);
	if (c->op == OP_LIKE || c->op == OP_UNLIKE) {
		struct matcher_error err;
		int r = matcher_new(c->wanted, false, false, &c->matcher, &err);
		if (r == -EINVAL)
			(void)snprintf(why, why_size,
				       "%s at byte %zu of the expression: %.*s <-- HERE", err.text,
				       err.at, (int)err.at, c->wanted.ptr);
		if (r < 0)
			return r;
	}
	return demand(c);
}

int where_new(const char *const *texts, size_t n, struct where **ret, char *why, size_t why_size)
{
	if (n > WHERE_MAX)
		return -E2BIG;
	struct where *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		char reason[400];
		w->n++;
		int r = parse(&w->items[i], span_of(texts[i]), reason, sizeof(reason));
		if (r == -EINVAL)
			(void)snprintf(why, why_size, "'%s': %s", texts[i], reason);
		if (r < 0) {
			where_free(w);
			return r;
		}
	}
	*ret = w;
	return 0;
}

void where_free(struct where *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++) {
		matcher_free(w->items[i].matcher);
		finder_clear(&w->items[i].name);
		finder_clear(&w->items[i].literal);
	}
	free(w);
}

size_t where_count(const struct where *w)
{
	return w->n;
}

struct span where_field(const struct where *w, size_t i)
{
	return w->items[i].field.name;
}

void where_needs(const struct where *w, struct needs *needs)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct condition *c = &w->items[i];
		if (c->literal.n && needs->n < NEEDS_MAX)
			needs->items[needs->n++] =
				(struct need){.any_of = &c->literal, .whole = c->literal_whole};
	}
	for (size_t i = 0; i < w->n; i++)
		if (w->items[i].name.n && needs->n < NEEDS_MAX)
			needs->items[needs->n++] =
				(struct need){.any_of = &w->items[i].name, .whole = true};
}

/* --- testing --- */

struct where_scratch *where_scratch_new(const struct where *w)
{
	struct where_scratch *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->where = w;
	for (size_t i = 0; i < w->n; i++) {
		if (!w->items[i].matcher)
			continue;
		s->matchers[i] = matcher_scratch_new(w->items[i].matcher);
		if (!s->matchers[i]) {
			where_scratch_free(s);
			return NULL;
		}
	}
	return s;
}

void where_scratch_free(struct where_scratch *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < WHERE_MAX; i++)
		matcher_scratch_free(s->matchers[i]);
	field_scratch_free(&s->field);
	free(s);
}

static int compare_bytes(struct span a, struct span b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int r = len ? memcmp(a.ptr, b.ptr, len) : 0;
	return r ? r : (a.len > b.len) - (a.len < b.len);
}

/* Order of the value against what is wanted; false: they cannot be compared. */
static bool order(const struct condition *c, struct span value, int *ret)
{
	double v;
	if (!c->is_number) {
		*ret = compare_bytes(value, c->wanted);
		return true;
	}
	if (!parse_number(value, &v))
		return false;
	*ret = (v > c->number) - (v < c->number);
	return true;
}

static bool holds(struct where_scratch *s, size_t i, struct span value)
{
	const struct condition *c = &s->where->items[i];
	int r;
	switch (c->op) {
	case OP_EQ: return span_equal(value, c->wanted);
	case OP_NE: return !span_equal(value, c->wanted);
	case OP_GT: return order(c, value, &r) && r > 0;
	case OP_GE: return order(c, value, &r) && r >= 0;
	case OP_LT: return order(c, value, &r) && r < 0;
	case OP_LE: return order(c, value, &r) && r <= 0;
	case OP_LIKE: return matcher_test(s->matchers[i], value);
	case OP_UNLIKE: return !matcher_test(s->matchers[i], value);
	}
	return false;
}

int where_test(struct where_scratch *s, struct span line)
{
	const struct where *w = s->where;
	for (size_t i = 0; i < w->n; i++) {
		struct json_found value;
		int r = field_get(&w->items[i].field, line, &s->field, &value);
		if (r <= 0)
			return r;
		s->seen[i] = true;
		if (!holds(s, i, value.text))
			return 0;
	}
	return 1;
}

bool where_only(const struct where *w, bool (*known)(const struct field *f))
{
	for (size_t i = 0; i < w->n; i++)
		if (!known(&w->items[i].field))
			return false;
	return true;
}

bool where_holds(struct where_scratch *s,
		 bool (*get)(void *user, const struct field *f, struct span *ret), void *user)
{
	const struct where *w = s->where;
	for (size_t i = 0; i < w->n; i++) {
		struct span value;
		if (!get(user, &w->items[i].field, &value))
			return false;
		s->seen[i] = true;
		if (!holds(s, i, value))
			return false;
	}
	return true;
}

bool where_seen(const struct where_scratch *s, size_t i)
{
	return s->seen[i];
}

int where_has_field(struct where_scratch *s, size_t i, struct span line)
{
	struct json_found value;
	return field_get(&s->where->items[i].field, line, &s->field, &value);
}
