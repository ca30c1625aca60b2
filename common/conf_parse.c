/* Lines of one configuration text: sections, keys, continuations, and what is wrong with them.
 * Called by conf.c once a file.
 *
 * Every line is one of: blank, comment, [section], key = value, continuation of a list. The first
 * line that is none of them, or says something that the table does not know, ends the reading with
 * FILE:LINE and a sentence that helps: what was probably meant is named. Nothing is guessed and
 * taken. */
#include "common/conf_parts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct parser {
	struct conf *conf;
	const char *file;
	unsigned line; /* from 1 */
	struct conf_error *err;

	struct conf_group *group;       /* of the section we are in; NULL: before the first */
	struct conf_instance *instance; /* the section we are in */
	const struct conf_option *last; /* the key before this line; NULL: none in this section */
};

/* How a span goes into a message: at most 60 bytes of it. */
#define QUOTED "\"%.*s%s\""
#define QUOTED_ARGS(s)                                                                             \
	(int)((s).len > 60 ? 60 : (s).len), (s).len ? (s).ptr : "", (s).len > 60 ? "..." : ""

/* Sets the error to FILE:LINE: and the message. Returns -EINVAL. */
__attribute__((format(printf, 2, 3))) static int wrong(struct parser *p, const char *fmt, ...)
{
	char *text = p->err->text;
	size_t size = sizeof(p->err->text);
	int len = snprintf(text, size, "%s:%u: ", p->file, p->line);
	if (len > 0 && (size_t)len < size) {
		va_list args;
		va_start(args, fmt);
		(void)vsnprintf(text + len, size - (size_t)len, fmt, args);
		va_end(args);
	}
	return -EINVAL;
}

static int no_memory(struct parser *p)
{
	(void)wrong(p, "out of memory");
	return -ENOMEM;
}

/* --- what was probably meant --- */

enum { DISTANCE_MAX_LEN = 48 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;
	return m < c ? m : c;
}

/* How many letters must be added, left out, changed or swapped with their neighbour to make b of a.
 * (Optimal string alignment.) Long ones are far from everything. */
static unsigned distance(struct span a, struct span b)
{
	unsigned rows[3][DISTANCE_MAX_LEN + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];
	if (a.len > DISTANCE_MAX_LEN || b.len > DISTANCE_MAX_LEN)
		return DISTANCE_MAX_LEN;
	for (unsigned j = 0; j <= b.len; j++)
		last[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		now[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			bool same = a.ptr[i - 1] == b.ptr[j - 1];
			now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + !same);
			bool swapped = i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] &&
				       a.ptr[i - 2] == b.ptr[j - 1];
			if (swapped && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		unsigned *free_row = before;
		before = last;
		last = now;
		now = free_row;
	}
	return last[b.len];
}

/* The nearest of some names so far. */
struct nearest {
	struct span wanted;
	const char *name; /* NULL: none is near */
	unsigned distance;
};

static struct nearest nearest_to(struct span wanted)
{
	/* One slip in three letters is near; a word of one or two letters has no neighbours. */
	return (struct nearest){.wanted = wanted, .distance = (unsigned)(wanted.len / 3) + 1};
}

static void nearest_try(struct nearest *n, const char *name)
{
	unsigned d = distance(n->wanted, span_of(name));
	if (d < n->distance) {
		n->distance = d;
		n->name = name;
	}
}

/* --- sections --- */

static struct conf_group *find_group(struct conf *c, struct span name)
{
	for (size_t i = 0; i < c->n_groups; i++)
		if (span_is(name, c->groups[i].section->name))
			return &c->groups[i];
	return NULL;
}

static int unknown_section(struct parser *p, struct span name)
{
	struct nearest near = nearest_to(name);
	for (size_t i = 0; i < p->conf->n_groups; i++)
		nearest_try(&near, p->conf->groups[i].section->name);
	if (near.name)
		return wrong(p, "unknown section " QUOTED "; did you mean [%s]?", QUOTED_ARGS(name),
			     near.name);
	return wrong(p, "unknown section " QUOTED, QUOTED_ARGS(name));
}

static struct conf_instance *find_instance(struct conf_group *g, struct span name)
{
	for (size_t i = 0; i < g->n; i++)
		if (span_is(name, g->instances[i].name))
			return &g->instances[i];
	return NULL;
}

/* FILE:LINE of this line, owned by the caller; NULL when memory is short. */
static char *here(const struct parser *p)
{
	char *text;
	return asprintf(&text, "%s:%u", p->file, p->line) < 0 ? NULL : text;
}

/* Enters [section] or [section name], which may be a new one. */
static int enter_section(struct parser *p, struct conf_group *g, struct span name)
{
	struct conf_instance *instance = find_instance(g, name);
	if (instance && name.len)
		return wrong(p, "[%s %s] is already at %s", g->section->name, instance->name,
			     instance->where);
	char *where = here(p);
	if (!where)
		return no_memory(p);
	int r = 0;
	if (!instance)
		r = conf_add_instance(g, name, where, &instance);
	else if (!instance->where) {
		instance->where = where;
		where = NULL;
	}
	free(where);
	if (r < 0)
		return no_memory(p);
	p->group = g;
	p->instance = instance;
	p->last = NULL;
	return 0;
}

static int parse_section(struct parser *p, struct span line)
{
	if (!span_ends_with(line, SPAN_LITERAL("]")))
		return wrong(p, "%s; a section is a line [section] or [section name]",
			     span_find(line, ']') < line.len ? "there is text behind the ]"
							     : "the ] is missing");
	struct span inside = span_trim(span_make(line.ptr + 1, line.len - 2));
	size_t len = 0;
	while (len < inside.len && inside.ptr[len] != ' ' && inside.ptr[len] != '\t')
		len++;
	struct span section = span_first(inside, len);
	struct span name = span_trim(span_from(inside, len));
	struct conf_group *g = find_group(p->conf, section);
	if (!g)
		return unknown_section(p, section);
	if (name.len && g->section->repeat == CONF_ONCE)
		return wrong(p, "[%s] takes no name", g->section->name);
	if (!name.len && g->section->repeat == CONF_NAMED)
		return wrong(p, "[%s] needs a name: [%s NAME]", g->section->name, g->section->name);
	return enter_section(p, g, name);
}

/* --- keys --- */

static const struct conf_option *find_option(const struct conf_section *section, struct span key)
{
	for (size_t i = 0; i < section->n_options; i++)
		if (span_is(key, section->options[i].key))
			return &section->options[i];
	return NULL;
}

static int unknown_key(struct parser *p, struct span key)
{
	const struct conf_section *section = p->group->section;
	for (size_t i = 0; i < p->conf->n_groups; i++) {
		const struct conf_section *other = p->conf->groups[i].section;
		if (find_option(other, key))
			return wrong(p, "unknown key " QUOTED " in [%s]; it belongs in [%s]",
				     QUOTED_ARGS(key), section->name, other->name);
	}
	struct nearest near = nearest_to(key);
	for (size_t i = 0; i < section->n_options; i++)
		nearest_try(&near, section->options[i].key);
	if (near.name)
		return wrong(p, "unknown key " QUOTED " in [%s]; did you mean \"%s\"?",
			     QUOTED_ARGS(key), section->name, near.name);
	return wrong(p, "unknown key " QUOTED " in [%s]", QUOTED_ARGS(key), section->name);
}

static int take_value(struct parser *p, const struct conf_option *o, struct span value)
{
	struct conf_why why;
	int r = conf_value_parse(o, value, conf_field(o, p->instance->data), &why);
	if (r == -EINVAL)
		return wrong(p, "%s: %s", o->key, why.text);
	return r < 0 ? no_memory(p) : 0;
}

static int parse_key(struct parser *p, struct span line)
{
	size_t equals = span_find(line, '=');
	struct span key = span_trim(span_first(line, equals));
	if (equals == line.len || !key.len)
		return wrong(p, QUOTED " is neither [section] nor key = value", QUOTED_ARGS(line));
	if (!p->group)
		return wrong(p, QUOTED " stands before the first [section]", QUOTED_ARGS(key));
	const struct conf_option *o = find_option(p->group->section, key);
	if (!o)
		return unknown_key(p, key);
	char **given = &p->instance->given[o - p->group->section->options];
	if (*given && !conf_is_list(o))
		return wrong(p, "%s is already given at %s", o->key, *given);
	if (!*given) {
		*given = here(p);
		if (!*given)
			return no_memory(p);
		/* What is given takes the place of the default, also for lists. */
		if (conf_is_list(o))
			conf_value_clear(o, conf_field(o, p->instance->data));
	}
	p->last = o;
	return take_value(p, o, span_trim(span_from(line, equals + 1)));
}

/* Is this indented line meant as a line of its own? In a list it would vanish among the items. */
static bool looks_like_own_line(const struct parser *p, struct span line)
{
	if (span_starts_with(line, SPAN_LITERAL("[")) && span_ends_with(line, SPAN_LITERAL("]"))) {
		struct span inside = span_make(line.ptr + 1, line.len - 2);
		size_t blank = span_find(inside, ' ');
		return find_group(p->conf, span_first(inside, blank)) != NULL;
	}
	size_t equals = span_find(line, '=');
	return equals < line.len &&
	       find_option(p->group->section, span_trim(span_first(line, equals)));
}

static int parse_continuation(struct parser *p, struct span line)
{
	if (!p->last)
		return wrong(p, "a line that starts with white space goes on with a "
				"list, and there "
				"is none before it; remove the white space");
	if (!conf_is_list(p->last))
		return wrong(p,
			     "a line that starts with white space goes on with a list, "
			     "and %s takes "
			     "one value; remove the white space",
			     p->last->key);
	if (looks_like_own_line(p, line))
		return wrong(p,
			     "a line that starts with white space would go on with %s; "
			     "remove the "
			     "white space if it is meant as a line of its own",
			     p->last->key);
	return take_value(p, p->last, line);
}

/* --- lines --- */

/* Control characters have no business in a configuration, and a NUL would end a value early. */
static int check_line(struct parser *p, struct span line)
{
	if (line.len > CONF_LINE_MAX)
		return wrong(p, "the line is longer than %d bytes", CONF_LINE_MAX);
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return wrong(p, "control character \\x%02x at byte %zu", c, i + 1);
	}
	return 0;
}

static int parse_line(struct parser *p, struct span line)
{
	int r = check_line(p, line);
	if (r < 0)
		return r;
	struct span text = span_trim(line);
	if (!text.len || text.ptr[0] == '#' || text.ptr[0] == ';')
		return 0;
	if (text.ptr != line.ptr)
		return parse_continuation(p, text);
	if (text.ptr[0] == '[')
		return parse_section(p, text);
	return parse_key(p, text);
}

int conf_parse(struct conf *c, const char *file, struct span text, struct conf_error *err)
{
	static const struct span byte_order_mark = {"\xef\xbb\xbf", 3};
	struct parser p = {.conf = c, .file = file, .err = err};
	if (span_starts_with(text, byte_order_mark))
		text = span_from(text, byte_order_mark.len);
	while (text.len) {
		size_t len = span_find(text, '\n');
		struct span line = span_first(text, len);
		text = span_from(text, len < text.len ? len + 1 : len);
		if (span_ends_with(line, SPAN_LITERAL("\r")))
			line.len--;
		p.line++;
		int r = parse_line(&p, line);
		if (r < 0)
			return r;
	}
	return 0;
}
