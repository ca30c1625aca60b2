/* One value of each type, from text and to text: the part of the configuration reader that knows
 * types.
 *
 * Invariant: what conf_value_print writes conf_value_parse takes again to the same value; a field
 * is valid (zero, or fully set) at every moment, so that it can be cleared after any error. Fails
 * with a reason that follows the key in a message: `"12x" is not a size ...`. */
#include "common/conf_parts.h"

#include "common/num.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

void *conf_field(const struct conf_option *o, void *data)
{
	return (char *)data + o->offset;
}

/* Sets the reason. Returns -EINVAL. */
__attribute__((format(printf, 2, 3))) static int refuse(struct conf_why *why, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	return -EINVAL;
}

/* The value as it is quoted in a reason: not all of a line that is 4 KiB long. */
struct quoted {
	char text[68];
};

static struct quoted quote(struct span s)
{
	struct quoted q;
	bool cut = s.len > 60;
	(void)snprintf(q.text, sizeof(q.text), "\"%.*s%s\"", (int)(cut ? 60 : s.len),
		       s.len ? s.ptr : "", cut ? "..." : "");
	return q;
}

/* --- numbers with a unit: to text --- */

/* From large to small; the last divides everything. (Nothing below 1 ms can be configured, but a
 * table's least value may be 1 ns.) */
struct unit {
	const char *name;
	uint64_t value;
};

static const struct unit size_units[] = {{"T", UINT64_C(1) << 40},
					 {"G", UINT64_C(1) << 30},
					 {"M", UINT64_C(1) << 20},
					 {"K", UINT64_C(1) << 10},
					 {"", 1}};

static const struct unit duration_units[] = {{"d", NUM_DAY_SEC *NUM_SEC_NS},
					     {"h", 3600 * NUM_SEC_NS},
					     {"m", 60 * NUM_SEC_NS},
					     {"s", NUM_SEC_NS},
					     {"ms", NUM_MS_NS},
					     {"ns", 1}};

struct number_text {
	char text[32];
};

/* In the largest unit that says it exactly; 0 has none. */
static struct number_text number_text(const struct conf_option *o, uint64_t v)
{
	static const struct unit plain = {"", 1};
	struct number_text t;
	const struct unit *unit = &plain;
	if (v && o->type != CONF_UINT) {
		unit = o->type == CONF_DURATION ? duration_units : size_units;
		while (v % unit->value)
			unit++;
	}
	(void)snprintf(t.text, sizeof(t.text), "%" PRIu64 "%s", v / unit->value, unit->name);
	return t;
}

static bool in_range(const struct conf_option *o, uint64_t v)
{
	return (!o->min && !o->max) || (v >= o->min && v <= o->max);
}

static int check_range(const struct conf_option *o, uint64_t v, struct conf_why *why)
{
	if (in_range(o, v))
		return 0;
	bool low = v < o->min;
	return refuse(why, "%s is %s than the %s, %s", number_text(o, v).text,
		      low ? "less" : "more", low ? "least" : "most",
		      number_text(o, low ? o->min : o->max).text);
}

/* --- from text --- */

static int check_text(const struct conf_option *o, const char *value, struct conf_why *why)
{
	const char *reason = "not valid";
	if (!o->check || !why || !*value || o->check(value, &reason) >= 0)
		return 0;
	return refuse(why, "%s: %s", quote(span_of(value)).text, reason);
}

static int parse_string(const struct conf_option *o, struct span text, char **field,
			struct conf_why *why)
{
	char *copy = strndup(text.len ? text.ptr : "", text.len);
	if (!copy)
		return -ENOMEM;
	int r = check_text(o, copy, why);
	if (r < 0) {
		free(copy);
		return r;
	}
	free(*field);
	*field = copy;
	return 0;
}

static int add_item(const struct conf_option *o, struct span text, struct conf_list *list,
		    struct conf_why *why)
{
	char **items = realloc(list->items, (list->n + 1) * sizeof(*items));
	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->n] = NULL;
	int r = parse_string(o, text, &items[list->n], why);
	if (r == 0)
		list->n++;
	return r;
}

static int parse_list(const struct conf_option *o, struct span text, struct conf_list *list,
		      struct conf_why *why)
{
	for (text = span_trim(text); text.len; text = span_trim(text)) {
		size_t len = o->type == CONF_STRINGS ? text.len : 0;
		while (len < text.len && text.ptr[len] != ' ' && text.ptr[len] != '\t')
			len++;
		int r = add_item(o, span_first(text, len), list, why);
		if (r < 0)
			return r;
		text = span_from(text, len);
	}
	return 0;
}

static int parse_size(const struct conf_option *o, struct span text, uint64_t *field,
		      struct conf_why *why)
{
	uint64_t v = 0;
	int r = text.len ? num_parse_size(text, &v) : 0;
	if (r == -ERANGE)
		return refuse(why, "%s is too large", quote(text).text);
	if (r < 0)
		return refuse(why, "%s is not a size (a number, with K, M, G or T behind it)",
			      quote(text).text);
	if (text.len && (r = check_range(o, v, why)) < 0)
		return r;
	*field = v;
	return 0;
}

static int parse_duration(const struct conf_option *o, struct span text, int64_t *field,
			  struct conf_why *why)
{
	int64_t v = 0;
	int r = text.len ? num_parse_duration(text, &v) : 0;
	if (r == -ERANGE)
		return refuse(why, "%s is too long", quote(text).text);
	if (r < 0)
		return refuse(why,
			      "%s is not a duration (a number with ms, s, m, h or d behind it)",
			      quote(text).text);
	if (text.len && (r = check_range(o, (uint64_t)v, why)) < 0)
		return r;
	*field = v;
	return 0;
}

static int parse_uint(const struct conf_option *o, struct span text, uint64_t *field,
		      struct conf_why *why)
{
	uint64_t v;
	int r = num_parse_u64(text, &v);
	if (r == -ERANGE)
		return refuse(why, "%s is too large", quote(text).text);
	if (r < 0)
		return refuse(why, "%s is not a number", quote(text).text);
	if ((r = check_range(o, v, why)) < 0)
		return r;
	*field = v;
	return 0;
}

static int parse_bool(struct span text, bool *field, struct conf_why *why)
{
	static const char *const words[][2] = {
		{"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (int value = 0; value <= 1; value++)
			if (text.len == strlen(words[i][value]) &&
			    strncasecmp(text.ptr, words[i][value], text.len) == 0) {
				*field = value == 1;
				return 0;
			}
	return refuse(why, "%s is neither yes nor no", quote(text).text);
}

static int parse_enum(const struct conf_option *o, struct span text, int *field,
		      struct conf_why *why)
{
	char all[128] = "";
	size_t len = 0;
	for (int i = 0; o->words[i]; i++) {
		if (span_is(text, o->words[i])) {
			*field = i;
			return 0;
		}
		if (len < sizeof(all))
			len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i ? ", " : "",
						o->words[i]);
	}
	return refuse(why, "%s is none of %s", quote(text).text, all);
}

static int parse_amount(struct span text, struct conf_amount *field, struct conf_why *why)
{
	struct conf_amount amount = {.is_percent = span_ends_with(text, SPAN_LITERAL("%"))};
	int r = 0;
	if (amount.is_percent)
		r = num_parse_u64(span_first(text, text.len - 1), &amount.value);
	else if (text.len)
		r = num_parse_size(text, &amount.value);
	if (r == -ERANGE || (r == 0 && amount.is_percent && amount.value > 100))
		return refuse(why, "%s is too large", quote(text).text);
	if (r < 0)
		return refuse(why,
			      "%s is neither a percentage nor a size (a number with %%, "
			      "or with K, "
			      "M, G or T behind it)",
			      quote(text).text);
	*field = amount;
	return 0;
}

int conf_value_parse(const struct conf_option *o, struct span text, void *field,
		     struct conf_why *why)
{
	switch (o->type) {
	case CONF_STRING: return parse_string(o, text, field, why);
	case CONF_LIST:
	case CONF_STRINGS: return parse_list(o, text, field, why);
	case CONF_SIZE: return parse_size(o, text, field, why);
	case CONF_DURATION: return parse_duration(o, text, field, why);
	case CONF_UINT: return parse_uint(o, text, field, why);
	case CONF_BOOL: return parse_bool(text, field, why);
	case CONF_ENUM: return parse_enum(o, text, field, why);
	case CONF_PERCENT_OR_SIZE: return parse_amount(text, field, why);
	}
	assert(false && "an option's type");
	return -EINVAL;
}

int conf_value_default(const struct conf_option *o, void *field)
{
	struct conf_option unchecked = *o;
	struct conf_why why;
	unchecked.check = NULL;
	/* Where nothing is written the zero in the field is the value, but a string is never
	 * NULL. */
	if (!o->default_text && o->type != CONF_STRING)
		return 0;
	int r = conf_value_parse(&unchecked, span_of(o->default_text), field, &why);
	assert(r != -EINVAL); /* the table is wrong */
	return r;
}

void conf_value_clear(const struct conf_option *o, void *field)
{
	if (o->type == CONF_STRING) {
		char **string = field;
		free(*string);
		*string = NULL;
	} else if (conf_is_list(o)) {
		struct conf_list *list = field;
		for (size_t i = 0; i < list->n; i++)
			free(list->items[i]);
		free(list->items);
		*list = (struct conf_list){0};
	}
}

/* --- to text --- */

/* A line that was near the limit when it was read may have no room for the blanks, or none for the
 * key. */
static int print_line(const char *key, const char *value, struct buf *out)
{
	size_t len = strlen(key) + strlen(value);
	const char *between = len + 3 <= CONF_LINE_MAX   ? " = "
			      : len + 1 <= CONF_LINE_MAX ? "="
							 : " =\n\t";
	return buf_printf(out, "%s%s%s\n", key, *value ? between : " =", value);
}

static int print_list(const char *key, const struct conf_list *list, struct buf *out)
{
	int r = list->n ? 0 : print_line(key, "", out);
	for (size_t i = 0; r == 0 && i < list->n; i++)
		r = print_line(key, list->items[i], out);
	return r;
}

/* An empty value is 0 without being held to the option's range. */
static int print_number(const struct conf_option *o, uint64_t v, struct buf *out)
{
	return print_line(o->key, v || in_range(o, v) ? number_text(o, v).text : "", out);
}

static int print_amount(const struct conf_option *o, const struct conf_amount *a, struct buf *out)
{
	if (a->is_percent)
		return buf_printf(out, "%s = %" PRIu64 "%%\n", o->key, a->value);
	return print_line(o->key, number_text(o, a->value).text, out);
}

int conf_value_print(const struct conf_option *o, const void *field, struct buf *out)
{
	switch (o->type) {
	case CONF_STRING: return print_line(o->key, *(char *const *)field, out);
	case CONF_LIST:
	case CONF_STRINGS: return print_list(o->key, field, out);
	case CONF_SIZE:
	case CONF_UINT: return print_number(o, *(const uint64_t *)field, out);
	case CONF_DURATION: return print_number(o, (uint64_t) * (const int64_t *)field, out);
	case CONF_BOOL: return print_line(o->key, *(const bool *)field ? "yes" : "no", out);
	case CONF_ENUM: return print_line(o->key, o->words[*(const int *)field], out);
	case CONF_PERCENT_OR_SIZE: return print_amount(o, field, out);
	}
	assert(false && "an option's type");
	return -EINVAL;
}
