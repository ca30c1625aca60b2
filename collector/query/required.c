/* Required strings of a regular expression: see required.h.
 *
 * A recursive descent over the PCRE2 syntax that computes for every part: the small set of strings
 * that it matches exactly, if it is one ("https?" is {http, https}), and the best set of which one
 * must be there. A concatenation multiplies exact sets as long as they stay small; an alternation
 * unites. Anything whose meaning is not certain (inline options, recursion, conditions, verbs)
 * gives up as a whole: then every line is given to PCRE2, which is slower and never wrong. Depth
 * and sizes are bounded; no allocation. */
#include "collector/query/required.h"

#include <stdint.h>

enum {
	SET_MAX = REQUIRED_MAX,
	DEPTH_MAX = 20,
	NO_UPPER_BOUND = 65536,
};

struct part {
	bool exact; /* it matches just these strings */
	/* exact: them. Else: one of them must be there; n = 0: not known */
	struct required strings;
};

struct parser {
	struct span in;
	size_t at;
	bool ignore_case;
	bool given_up;
	unsigned depth;
};

static bool more(const struct parser *p)
{
	return p->at < p->in.len && !p->given_up;
}

static char peek(const struct parser *p)
{
	return p->at < p->in.len ? p->in.ptr[p->at] : '\0';
}

static bool take(struct parser *p, const char *text)
{
	struct span t = span_of(text);
	if (!span_starts_with(span_from(p->in, p->at), t))
		return false;
	p->at += t.len;
	return true;
}

static struct part give_up(struct parser *p)
{
	p->given_up = true;
	p->at = p->in.len;
	return (struct part){0};
}

/* --- sets --- */

static struct part part_of_text(const char *text, size_t len)
{
	struct part part = {.exact = true, .strings.n = 1};
	memcpy(part.strings.text[0], text, len);
	part.strings.len[0] = len;
	return part;
}

static struct part part_empty(void)
{
	return part_of_text("", 0);
}

static bool set_add(struct required *set, const char *text, size_t len)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->len[i] == len && memcmp(set->text[i], text, len) == 0)
			return true;
	if (set->n == SET_MAX)
		return false;
	memcpy(set->text[set->n], text, len);
	set->len[set->n++] = len;
	return true;
}

static bool set_unite(struct required *set, const struct required *more_strings)
{
	for (size_t i = 0; i < more_strings->n; i++)
		if (!set_add(set, more_strings->text[i], more_strings->len[i]))
			return false;
	return true;
}

/* Every string of a followed by every one of b. */
static bool set_multiply(const struct required *a, const struct required *b, struct required *ret)
{
	ret->n = 0;
	if (a->n * b->n > SET_MAX)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		for (size_t j = 0; j < b->n; j++) {
			char text[REQUIRED_LEN_MAX];
			size_t len = a->len[i] + b->len[j];
			if (len > sizeof(text))
				return false;
			memcpy(text, a->text[i], a->len[i]);
			memcpy(text + a->len[i], b->text[j], b->len[j]);
			if (!set_add(ret, text, len))
				return false;
		}
	}
	return true;
}

/* How good a set is to look for: the length of its shortest string, less for many; 0: useless. */
static size_t set_worth(const struct required *set)
{
	size_t shortest = SIZE_MAX;
	for (size_t i = 0; i < set->n; i++)
		if (set->len[i] < shortest)
			shortest = set->len[i];
	return set->n && shortest ? shortest * 8 + SET_MAX - set->n : 0;
}

static void keep_better(struct required *best, const struct required *other)
{
	if (set_worth(other) > set_worth(best))
		*best = *other;
}

/* --- the syntax --- */

static struct part parse_alternation(struct parser *p);

static size_t utf8_len(unsigned char c)
{
	return c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* One character as it stands; not exact when case folding is not only ASCII's. */
static struct part parse_char(struct parser *p)
{
	size_t len = utf8_len((unsigned char)peek(p));
	if (len > p->in.len - p->at)
		len = p->in.len - p->at;
	struct part part = part_of_text(p->in.ptr + p->at, len);
	p->at += len;
	if (p->ignore_case) {
		char *c = part.strings.text[0];
		if (len > 1)
			return (struct part){0};
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	}
	return part;
}

static void skip_braces(struct parser *p)
{
	size_t len = span_find(span_from(p->in, p->at), '}');
	p->at += len;
	if (peek(p) == '}')
		p->at++;
}

static struct part parse_escape(struct parser *p)
{
	char c = peek(p);
	if (c == '\0')
		return give_up(p);
	p->at++;
	if (strchr("bBAzZGE", c))
		return part_empty();
	if (strchr("dDwWsShHvVRNXC", c)) {
		if (c == 'N' && peek(p) == '{')
			skip_braces(p);
		return (struct part){0};
	}
	if (c == 'p' || c == 'P') {
		if (peek(p) == '{')
			skip_braces(p);
		else
			p->at++;
		return (struct part){0};
	}
	if (c == 't')
		return part_of_text("\t", 1);
	if (c >= '1' && c <= '9') {
		while (peek(p) >= '0' && peek(p) <= '9')
			p->at++;
		return (struct part){0};
	}
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '0')
		return give_up(p);
	p->at--;
	return parse_char(p);
}

/* [...]: exact for a few plain characters. */
static struct part parse_class(struct parser *p)
{
	struct part part = {.exact = true};
	bool negated = take(p, "^");
	for (bool first = true; more(p) && (first || peek(p) != ']'); first = false) {
		if (take(p, "[:")) {
			size_t len = span_find(span_from(p->in, p->at), ']');
			p->at += len < p->in.len - p->at ? len + 1 : len;
			part.exact = false;
		} else if (take(p, "\\")) {
			if (take(p, "Q") || take(p, "E"))
				return give_up(p);
			struct part c = parse_escape(p);
			part.exact = part.exact && c.exact && c.strings.len[0] == 1 &&
				     set_add(&part.strings, c.strings.text[0], 1);
		} else {
			struct part c = parse_char(p);
			part.exact = part.exact && c.exact && peek(p) != '-' &&
				     set_add(&part.strings, c.strings.text[0], c.strings.len[0]);
		}
	}
	if (!take(p, "]"))
		return give_up(p);
	return part.exact && !negated ? part : (struct part){0};
}

/* Behind "(": what kind of group, then its inside. A look-around demands nothing of what it stands
 * beside. */
static struct part parse_group(struct parser *p)
{
	bool look = false;
	if (peek(p) == '*')
		return give_up(p);
	if (take(p, "?")) {
		if (take(p, "=") || take(p, "!") || take(p, "<=") || take(p, "<!")) {
			look = true;
		} else if (take(p, "#")) {
			size_t len = span_find(span_from(p->in, p->at), ')');
			p->at += len;
			return take(p, ")") ? part_empty() : give_up(p);
		} else if (take(p, "<") || take(p, "P<")) {
			p->at += span_find(span_from(p->in, p->at), '>');
			if (!take(p, ">"))
				return give_up(p);
		} else if (!take(p, ":") && !take(p, ">") && !take(p, "|")) {
			return give_up(p);
		}
	}
	if (++p->depth > DEPTH_MAX)
		return give_up(p);
	struct part inside = parse_alternation(p);
	p->depth--;
	if (!take(p, ")"))
		return give_up(p);
	return look ? part_empty() : inside;
}

static struct part parse_atom(struct parser *p)
{
	switch (peek(p)) {
	case '\\': p->at++; return parse_escape(p);
	case '[': p->at++; return parse_class(p);
	case '(': p->at++; return parse_group(p);
	case '.': p->at++; return (struct part){0};
	case '^':
	case '$': p->at++; return part_empty();
	default: return parse_char(p);
	}
}

/* {n}, {n,} or {n,m}; anything else is text. */
static bool take_counts(struct parser *p, unsigned *ret_min, unsigned *ret_max)
{
	size_t at = p->at + 1;
	unsigned counts[2] = {0, 0};
	size_t n = 0;
	bool digits = false, comma = false;
	for (; at < p->in.len && p->in.ptr[at] != '}'; at++) {
		char c = p->in.ptr[at];
		if (c >= '0' && c <= '9') {
			counts[n] = counts[n] * 10 + (unsigned)(c - '0');
			if (counts[n] > NO_UPPER_BOUND)
				return false;
			digits = true;
		} else if (c == ',' && !comma && digits) {
			comma = true;
			n = 1;
		} else {
			return false;
		}
	}
	if (at >= p->in.len || !digits)
		return false;
	bool open_end = comma && p->in.ptr[at - 1] == ',';
	*ret_min = counts[0];
	*ret_max = open_end ? NO_UPPER_BOUND : counts[comma ? 1 : 0];
	p->at = at + 1;
	return true;
}

static struct part parse_repeated(struct parser *p)
{
	struct part part = parse_atom(p);
	unsigned min = 1, max = 1;
	if (take(p, "*"))
		min = 0, max = NO_UPPER_BOUND;
	else if (take(p, "+"))
		max = NO_UPPER_BOUND;
	else if (take(p, "?"))
		min = 0;
	else if (peek(p) != '{' || !take_counts(p, &min, &max))
		return part;
	if (!take(p, "?"))
		(void)take(p, "+");
	if (min == 0 && max == 1 && part.exact && set_add(&part.strings, "", 0))
		return part;
	if (min == 0)
		return (struct part){0};
	part.exact = part.exact && min == 1 && max == 1;
	return part;
}

/* A run of exact parts grows; what is not exact ends it, and the best run wins. */
static struct part parse_concatenation(struct parser *p)
{
	struct part all = part_empty();
	struct required best = {.n = 0}, run = all.strings, product;
	while (more(p) && peek(p) != '|' && peek(p) != ')') {
		struct part part;
		if (take(p, "\\Q")) {
			part = part_empty();
			while (more(p) && !take(p, "\\E")) {
				struct part c = parse_char(p);
				if (!c.exact || !set_multiply(&part.strings, &c.strings, &product))
					return give_up(p);
				part.strings = product;
			}
			/* A quantifier would be the last character's alone. */
			if (strchr("*+?{", peek(p)) && more(p))
				return give_up(p);
		} else {
			part = parse_repeated(p);
		}
		if (part.exact && set_multiply(&run, &part.strings, &product)) {
			run = product;
			continue;
		}
		all.exact = false;
		keep_better(&best, &run);
		if (part.exact) {
			run = part.strings;
		} else {
			keep_better(&best, &part.strings);
			run = part_empty().strings;
		}
	}
	if (all.exact)
		return (struct part){.exact = true, .strings = run};
	keep_better(&best, &run);
	return (struct part){.strings = best};
}

static struct part parse_alternation(struct parser *p)
{
	struct part all = parse_concatenation(p);
	while (take(p, "|")) {
		struct part branch = parse_concatenation(p);
		/* Of a branch that demands nothing nothing follows for the whole. */
		bool known = all.strings.n && branch.strings.n;
		all.exact = all.exact && branch.exact;
		if (!known || !set_unite(&all.strings, &branch.strings))
			all = (struct part){0};
	}
	return all;
}

void required_of(struct span pattern, bool ignore_case, struct required *ret)
{
	struct parser p = {.in = pattern, .ignore_case = ignore_case};
	struct part part = parse_alternation(&p);
	if (p.given_up || p.at < p.in.len || set_worth(&part.strings) == 0)
		part.strings.n = 0;
	*ret = part.strings;
}
