/* Looks: see style.h. Used by the printer when colour is on or a terminal is written to.
 *
 * Stored lines are clean, so that little has to be made harmless; but a line may stand in the
 * archive that no collector wrote, and U+202E is clean and turns a line around. */
#include "collector/query/style.h"

#include "common/columns.h"
#include "common/utf8.h"

const char *style_of_service(struct span service)
{
	/* Colours that can be read on black and on white. */
	static const char *const colours[] = {
		"\033[38;5;33m",  "\033[38;5;35m",  "\033[38;5;172m", "\033[38;5;133m",
		"\033[38;5;38m",  "\033[38;5;136m", "\033[38;5;69m",  "\033[38;5;71m",
		"\033[38;5;168m", "\033[38;5;98m",  "\033[38;5;30m",  "\033[38;5;130m",
	};
	uint32_t hash = 2166136261U;
	for (size_t i = 0; i < service.len; i++)
		hash = (hash ^ (uint8_t)service.ptr[i]) * 16777619U;
	return colours[(hash ^ hash >> 15) % (sizeof(colours) / sizeof(*colours))];
}

static bool is_harmful(uint32_t code)
{
	return (code < 0x20 && code != '\t') || (code >= 0x7f && code <= 0x9f) ||
	       (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
	       code == 0x200e || code == 0x200f || code == 0x2028 || code == 0x2029;
}

static int add_escaped(struct buf *out, struct span bytes, bool is_char, uint32_t code)
{
	if (is_char && code > 0xff)
		return buf_printf(out, "\\u{%04x}", code);
	for (size_t i = 0; i < bytes.len; i++) {
		int r = buf_printf(out, "\\x%02x", (unsigned)(uint8_t)bytes.ptr[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

int style_add_harmless(struct buf *out, struct span text)
{
	size_t plain = 0; /* so many bytes are waiting to be copied */
	int r = 0;
	while (r == 0 && plain < text.len) {
		uint8_t c = (uint8_t)text.ptr[plain];
		if (c >= 0x20 && c < 0x7f) {
			plain++;
			continue;
		}
		uint32_t code = 0;
		struct span rest = span_from(text, plain);
		size_t len = utf8_take(rest, &code);
		if (len && !is_harmful(code)) {
			plain += len;
			continue;
		}
		r = buf_add_span(out, span_first(text, plain));
		if (r == 0)
			r = add_escaped(out, span_first(rest, len ? len : 1), len > 0, code);
		text = span_from(rest, len ? len : 1);
		plain = 0;
	}
	return r < 0 ? r : buf_add_span(out, text);
}

/* A part of the line in one colour, with the matches that lie in it. */
struct painter {
	struct buf *out;
	struct matcher_scratch *matcher; /* NULL: no marks */
	struct span line;
	struct span match; /* the next one that is not yet over; len 0: none */
	int result;
};

static void find_match(struct painter *p, size_t from)
{
	p->match = span_make(p->line.ptr + p->line.len, 0);
	if (p->matcher && from < p->line.len)
		(void)matcher_find(p->matcher, p->line, from, &p->match);
}

static void add_text(struct painter *p, struct span text, const char *style)
{
	if (p->result < 0 || text.len == 0)
		return;
	if (*style)
		p->result = buf_add_str(p->out, style);
	if (p->result == 0)
		p->result = style_add_harmless(p->out, text);
	if (p->result == 0 && *style)
		p->result = buf_add_str(p->out, STYLE_RESET);
}

static void paint(struct painter *p, struct span part, const char *style)
{
	while (part.len && p->match.len && p->match.ptr < part.ptr + part.len) {
		size_t before = (size_t)(p->match.ptr - part.ptr);
		size_t marked = part.len - before;
		if (p->match.ptr < part.ptr)
			before = 0, marked = part.len;
		const char *match_end = p->match.ptr + p->match.len;
		if (match_end < part.ptr + part.len)
			marked = (size_t)(match_end - (part.ptr + before));
		add_text(p, span_first(part, before), style);
		add_text(p, span_make(part.ptr + before, marked), STYLE_MATCH);
		part = span_from(part, before + marked);
		if (match_end > part.ptr)
			return; /* it goes on in the next part */
		find_match(p, (size_t)(match_end - p->line.ptr));
	}
	add_text(p, part, style);
}

int style_add_line(struct buf *out, struct span line, struct matcher_scratch *matcher,
		   const char *message_style)
{
	struct painter p = {.out = out, .matcher = matcher, .line = line};
	struct columns c;
	/* The CR of a line that ends in CR LF moves nothing but the cursor. */
	if (p.line.len && p.line.ptr[p.line.len - 1] == '\r')
		p.line.len--;
	find_match(&p, 0);
	if (!columns_split(p.line, &c)) {
		paint(&p, p.line, "");
		return p.result;
	}
	const char *service = style_of_service(columns_service(&c));
	const char *at = c.host.ptr;
	paint(&p, span_make(p.line.ptr, (size_t)(at - p.line.ptr)), STYLE_DIM);
	paint(&p, span_make(at, (size_t)(c.stream.ptr - at)), "");
	at = c.stream.ptr;
	paint(&p, span_make(at, (size_t)(c.flags.ptr - at)), service);
	at = c.flags.ptr;
	paint(&p, span_make(at, (size_t)(c.message.ptr - at)), STYLE_DIM);
	paint(&p, c.message, message_style);
	return p.result;
}
