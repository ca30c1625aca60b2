/* Fields of lines: see field.h. Called by the reader for -w, --by and top, and when a block is
 * sealed for what is counted of it: both must find the same. */
#include "common/field.h"

#include "common/columns.h"
#include "common/line.h"
#include "common/logfmt.h"

#include <errno.h>

int field_init(struct field *f, struct span name)
{
	static const struct {
		const char *name;
		enum field_kind kind;
	} columns[] = {
		{"host", FIELD_HOST},
		{"service", FIELD_SERVICE},
		{"instance", FIELD_INSTANCE},
	};
	*f = (struct field){.kind = FIELD_MESSAGE, .name = name, .path = name};
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
		if (span_is(name, columns[i].name))
			f->kind = columns[i].kind;
	if (name.len && name.ptr[0] == '.')
		f->path = span_from(name, 1);
	return f->path.len ? 0 : -EINVAL;
}

struct span field_literal(const struct field *f)
{
	if (f->kind != FIELD_MESSAGE)
		return span_make(NULL, 0);
	const char *dot = memrchr(f->path.ptr, '.', f->path.len);
	return dot ? span_from(f->path, (size_t)(dot + 1 - f->path.ptr)) : f->path;
}

static int unescaped(const struct columns *c, struct field_scratch *s, struct span *ret)
{
	*ret = c->message;
	if (!columns_flag(c, 'x'))
		return 0;
	buf_clear(&s->message);
	int r = line_unescape(c->message, &s->message);
	/* A buffer that never held anything has no pointer, and who searches in nothing needs
	 * one. */
	if (r == 0)
		*ret = s->message.len ? buf_span(&s->message) : span_make("", 0);
	return r == -EINVAL ? 0 : r;
}

int field_message(struct span line, struct field_scratch *s, struct span *ret)
{
	struct columns c;
	(void)columns_split(line, &c);
	return unescaped(&c, s, ret);
}

static int from_message(const struct field *f, struct span message, struct field_scratch *s,
			struct json_found *ret)
{
	size_t at = 0;
	while (at < message.len && (message.ptr[at] == ' ' || message.ptr[at] == '\t'))
		at++;
	if (at < message.len && message.ptr[at] == '{')
		return jsonscan_find(message, f->path, &s->value, ret);
	int r = logfmt_find(message, f->path, &s->value, &ret->text);
	/* Whether it is a number is decided where numbers are compared. */
	ret->kind = JSONSCAN_STRING;
	return r;
}

int field_get(const struct field *f, struct span line, struct field_scratch *s,
	      struct json_found *ret)
{
	struct columns c;
	bool split = columns_split(line, &c);
	switch (f->kind) {
	case FIELD_MESSAGE: {
		struct span message;
		int r = unescaped(&c, s, &message);
		return r < 0 ? r : from_message(f, message, s, ret);
	}
	case FIELD_HOST: ret->text = c.host; break;
	case FIELD_SERVICE: ret->text = columns_service(&c); break;
	case FIELD_INSTANCE: ret->text = columns_instance(&c); break;
	}
	ret->kind = JSONSCAN_STRING;
	return split && ret->text.len;
}

void field_scratch_free(struct field_scratch *s)
{
	buf_free(&s->value);
	buf_free(&s->message);
}
