/* Output: see printer.h. Used by every command that shows lines.
 *
 * Text is the stored line, byte for byte, when it goes to a file or a pipe. JSON and raw give the
 * original message, escapes undone; on a terminal they stay, for an original may do harm there. */
#include "collector/query/printer.h"

#include "collector/query/style.h"
#include "common/columns.h"
#include "common/file.h"
#include "common/json.h"
#include "common/logfmt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FLUSH_BYTES = 64 * 1024 };

bool printer_wants_colour(enum colour colour, int fd)
{
	const char *no_colour = getenv("NO_COLOR");
	switch (colour) {
	case COLOUR_ALWAYS: return true;
	case COLOUR_NEVER: return false;
	case COLOUR_AUTO: break;
	}
	return isatty(fd) && !(no_colour && *no_colour);
}

int printer_init(struct printer *p, const struct options *o, const struct matcher *matcher)
{
	*p = (struct printer){.output = o->output,
			      .terminal = isatty(STDOUT_FILENO),
			      .colour = printer_wants_colour(o->colour, STDOUT_FILENO),
			      .grouped = o->context};
	if (!p->colour || !matcher || o->invert || matcher_all(matcher))
		return 0;
	p->matcher = matcher_scratch_new(matcher);
	return p->matcher ? 0 : -ENOMEM;
}

void printer_free(struct printer *p)
{
	matcher_scratch_free(p->matcher);
	buf_free(&p->out);
	field_scratch_free(&p->scratch);
}

int printer_flush(struct printer *p)
{
	int r = p->out.len ? file_write_all(STDOUT_FILENO, buf_span(&p->out)) : 0;
	buf_clear(&p->out);
	return r;
}

static int flush_if_full(struct printer *p)
{
	return p->out.len >= FLUSH_BYTES ? printer_flush(p) : 0;
}

/* --- JSON --- */

static int add_member(struct buf *out, const char *name, struct span value)
{
	int r = buf_printf(out, "\"%s\":", name);
	if (r == 0)
		r = json_add_string(out, value);
	return r < 0 ? r : buf_add_char(out, ',');
}

/* key=value pairs as an object; nothing when there are none. */
static int add_pairs(struct printer *p, struct span message)
{
	struct buf *out = &p->out;
	struct span key, value;
	bool any = false;
	int r = 0;
	for (size_t at = 0; r == 0 && logfmt_next(message, &at, &key, &value); any = true) {
		buf_clear(&p->scratch.value);
		r = buf_add_str(out, any ? "," : ",\"fields\":{");
		if (r == 0)
			r = json_add_string(out, key);
		if (r == 0)
			r = buf_add_char(out, ':');
		if (r == 0)
			r = logfmt_unquote(value, &p->scratch.value, &value);
		if (r == 0)
			r = json_add_string(out, value);
	}
	return r == 0 && any ? buf_add_char(out, '}') : r;
}

static int add_fields(struct printer *p, struct span message)
{
	if (!jsonscan_valid_object(message))
		return add_pairs(p, message);
	int r = buf_add_str(&p->out, ",\"fields\":");
	return r < 0 ? r : buf_add_span(&p->out, message);
}

static int original_message(struct printer *p, struct span line, const struct columns *c,
			    struct span *ret)
{
	*ret = c->message;
	return p->terminal ? 0 : field_message(line, &p->scratch, ret);
}

static int add_json(struct printer *p, struct span line)
{
	struct columns c;
	struct span message;
	bool split = columns_split(line, &c);
	int r = original_message(p, line, &c, &message);
	if (r == 0)
		r = buf_add_char(&p->out, '{');
	if (split) {
		if (r == 0)
			r = add_member(&p->out, "time", span_first(line, CIVIL_TIME_LEN));
		if (r == 0)
			r = add_member(&p->out, "host", c.host);
		if (r == 0)
			r = add_member(&p->out, "service", columns_service(&c));
		if (r == 0)
			r = add_member(&p->out, "instance", columns_instance(&c));
		if (r == 0)
			r = add_member(&p->out, "flags", c.flags);
	}
	if (message.len && message.ptr[message.len - 1] == '\r')
		message.len--;
	if (r == 0)
		r = buf_add_str(&p->out, "\"message\":");
	if (r == 0)
		r = json_add_string(&p->out, message);
	if (r == 0)
		r = add_fields(p, message);
	return r < 0 ? r : buf_add_str(&p->out, "}\n");
}

/* --- lines --- */

static int add_raw(struct printer *p, struct span line)
{
	struct columns c;
	struct span message;
	(void)columns_split(line, &c);
	int r = original_message(p, line, &c, &message);
	if (r == 0)
		r = p->terminal ? style_add_harmless(&p->out, message)
				: buf_add_span(&p->out, message);
	return r < 0 ? r : buf_add_char(&p->out, '\n');
}

static int add_text(struct printer *p, struct span line)
{
	int r;
	if (p->colour)
		r = style_add_line(&p->out, line, p->matcher,
				   p->message_style ? p->message_style : "");
	else if (p->terminal)
		r = style_add_harmless(&p->out, line);
	else
		r = buf_add_span(&p->out, line);
	return r < 0 ? r : buf_add_char(&p->out, '\n');
}

int printer_line(struct printer *p, struct span line)
{
	int r = -EINVAL;
	switch (p->output) {
	case OUTPUT_TEXT: r = add_text(p, line); break;
	case OUTPUT_JSON: r = add_json(p, line); break;
	case OUTPUT_RAW:
	case OUTPUT_CSV: r = add_raw(p, line); break;
	}
	p->any = true;
	return r < 0 ? r : flush_if_full(p);
}

int printer_record(struct printer *p, const struct record *record)
{
	size_t at = 0;
	struct span line;
	bool matched;
	int r = 0;
	if (p->grouped && p->any && !record->joined && p->output != OUTPUT_JSON)
		r = buf_add_str(&p->out, "--\n");
	while (r == 0 && record_next_line(record, &at, &line, &matched))
		r = printer_line(p, line);
	return r;
}

int printer_text(struct printer *p, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	va_start(args, fmt);
	int len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len < 0)
		return -EINVAL;
	size_t n = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
	int r = buf_add(&p->out, text, n);
	return r < 0 ? r : flush_if_full(p);
}
