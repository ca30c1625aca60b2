/* Records: see record.h. Called by the journal for each entry. Everything in an entry but what
 * begins with an underscore comes from whoever logs, so names are made valid and numbers are
 * checked. */
#include "agent/journal/record.h"

#include "common/civil.h"
#include "common/name.h"
#include "common/num.h"

#include <stddef.h>

static const struct {
	const char *key;
	size_t offset; /* of the buf in struct record */
} texts[] = {
	{"_SYSTEMD_UNIT", offsetof(struct record, unit)},
	{"_SYSTEMD_USER_UNIT", offsetof(struct record, user_unit)},
	{"SYSLOG_IDENTIFIER", offsetof(struct record, identifier)},
	{"_COMM", offsetof(struct record, command)},
	{"CONTAINER_NAME", offsetof(struct record, container_name)},
	{"CONTAINER_ID", offsetof(struct record, container_id)},
	{"PRIORITY", offsetof(struct record, priority)},
	{"_SOURCE_REALTIME_TIMESTAMP", offsetof(struct record, source_time)},
};

enum { TEXTS = sizeof(texts) / sizeof(texts[0]), NAME_BYTES = 1024 };

static struct buf *text_at(struct record *r, size_t i)
{
	return (struct buf *)(void *)((char *)r + texts[i].offset);
}

void record_clear(struct record *r)
{
	buf_clear(&r->message);
	r->has_message = r->cut = r->partial = false;
	for (size_t i = 0; i < TEXTS; i++)
		buf_clear(text_at(r, i));
}

void record_free(struct record *r)
{
	buf_free(&r->message);
	for (size_t i = 0; i < TEXTS; i++)
		buf_free(text_at(r, i));
}

/* What is longer than any name is cut. */
static int take_text(struct buf *into, struct span value)
{
	if (into->len)
		return 0;
	return buf_add_span(into,
			    span_first(value, value.len < NAME_BYTES ? value.len : NAME_BYTES));
}

int record_take(struct record *r, struct span field)
{
	size_t n = span_find(field, '=');
	if (n == field.len)
		return 0;
	struct span key = span_first(field, n), value = span_from(field, n + 1);
	if (span_is(key, "MESSAGE")) {
		int e = r->has_message ? 0 : buf_add_span(&r->message, value);
		r->has_message = r->has_message || e == 0;
		return e;
	}
	if (span_is(key, "CONTAINER_PARTIAL_MESSAGE")) {
		r->partial = span_is(value, "true");
		return 0;
	}
	for (size_t i = 0; i < TEXTS; i++)
		if (span_is(key, texts[i].key))
			return take_text(text_at(r, i), value);
	return 0;
}

/* --- names --- */

/* Of a service; sessions and other scopes say nothing about who logs. */
static struct span service_unit(const struct record *r)
{
	static const struct span suffix = {".service", 8};
	const struct span units[] = {buf_span(&r->user_unit), buf_span(&r->unit)};
	for (size_t i = 0; i < 2; i++)
		if (span_ends_with(units[i], suffix) && units[i].len > suffix.len)
			return span_first(units[i], units[i].len - suffix.len);
	return (struct span){NULL, 0};
}

/* getty of getty@tty1 */
static struct span unit_name(const struct record *r)
{
	struct span unit = service_unit(r);
	size_t at = span_find(unit, '@');
	return at ? span_first(unit, at) : unit;
}

static struct span identifier(const struct record *r)
{
	return buf_span(r->identifier.len ? &r->identifier : &r->command);
}

static struct span container(const struct record *r)
{
	return buf_span(r->container_name.len ? &r->container_name : &r->container_id);
}

static struct span word_of(const struct record *r, struct span word)
{
	if (span_is(word, "unit"))
		return unit_name(r);
	if (span_is(word, "identifier"))
		return identifier(r);
	return container(r);
}

static struct span usual(const struct record *r)
{
	struct span name = container(r);
	if (!name.len)
		name = unit_name(r);
	return name.len ? name : identifier(r);
}

/* The template's words are known to be right: service_template_check. */
static int expand(const struct record *r, struct span template, struct buf *out)
{
	int e = 0;
	while (template.len && e == 0) {
		size_t open = span_find(template, '{');
		e = buf_add_span(out, span_first(template, open));
		template = span_from(template, open);
		size_t close = span_find(template, '}');
		if (e < 0 || close == template.len)
			break;
		e = buf_add_span(out, word_of(r, span_make(template.ptr + 1, close - 1)));
		template = span_from(template, close + 1);
	}
	return e;
}

int record_service(const struct record *r, const struct input *in, struct buf *out)
{
	if (!*in->service)
		return name_make(usual(r), out);
	struct buf text = BUF_EMPTY;
	int e = expand(r, span_of(in->service), &text);
	if (e == 0)
		e = name_make(text.len ? buf_span(&text) : usual(r), out);
	buf_free(&text);
	return e;
}

int record_instance(const struct record *r, struct buf *out)
{
	struct span instance = {NULL, 0}, unit = service_unit(r);
	size_t at = span_find(unit, '@');
	if (r->container_name.len)
		instance = buf_span(&r->container_id);
	else if (!r->container_id.len && at < unit.len) /* an id without a name is the service */
		instance = span_from(unit, at + 1);
	buf_clear(out);
	return instance.len ? name_make(instance, out) : 0;
}

/* --- time and priority --- */

int64_t record_time_us(const struct record *r)
{
	uint64_t us;
	if (num_parse_u64(buf_span(&r->source_time), &us) < 0 || us == 0 || us > CIVIL_MAX_US)
		us = r->cursor.realtime_us;
	return us > CIVIL_MAX_US ? INT64_MIN : (int64_t)us;
}

bool record_is_error(const struct record *r)
{
	return r->priority.len == 1 && r->priority.ptr[0] >= '0' && r->priority.ptr[0] <= '3';
}
