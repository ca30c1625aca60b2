/* Taking keys out of a configuration's text: see conf_unset.h. Called by `haul-agent join`. Reads
 * lines as conf_parse.c does: keys and sections begin in the first column, what is indented goes on
 * with the key before it. */
#include "common/conf_unset.h"

struct walk {
	const char *section;
	const char *const *keys;
	size_t n_keys;
	bool inside; /* the section */
	bool unset;  /* the key that indented lines go on with is one of ours */
};

static bool is_ours(const struct walk *w, struct span key)
{
	for (size_t i = 0; w->inside && i < w->n_keys; i++)
		if (span_is(key, w->keys[i]))
			return true;
	return false;
}

static bool is_section(const struct walk *w, struct span line)
{
	return span_ends_with(line, SPAN_LITERAL("]")) &&
	       span_is(span_trim(span_make(line.ptr + 1, line.len - 2)), w->section);
}

/* Is this line to become a comment? */
static bool goes(struct walk *w, struct span line)
{
	struct span text = span_trim(line);
	if (!text.len || text.ptr[0] == '#' || text.ptr[0] == ';')
		return false;
	if (text.ptr != line.ptr)
		return w->unset;
	if (text.ptr[0] == '[') {
		w->inside = is_section(w, text);
		w->unset = false;
	} else {
		w->unset = is_ours(w, span_trim(span_first(text, span_find(text, '='))));
	}
	return w->unset;
}

int conf_unset(struct span text, const char *section, const char *const *keys, size_t n_keys,
	       struct buf *out, size_t *ret_lines)
{
	static const struct span byte_order_mark = {"\xef\xbb\xbf", 3};
	struct walk w = {.section = section, .keys = keys, .n_keys = n_keys};
	size_t before = out->len, lines = 0;
	int r = 0;
	if (span_starts_with(text, byte_order_mark)) {
		r = buf_add_span(out, byte_order_mark);
		text = span_from(text, byte_order_mark.len);
	}
	while (text.len && r == 0) {
		size_t len = span_find(text, '\n');
		struct span whole = span_first(text, len < text.len ? len + 1 : len);
		struct span line = span_first(text, len);
		text = span_from(text, whole.len);
		if (span_ends_with(line, SPAN_LITERAL("\r")))
			line.len--;
		if (goes(&w, line)) {
			r = buf_add_str(out, "# ");
			lines++;
		}
		if (r == 0)
			r = buf_add_span(out, whole);
	}
	if (r < 0)
		out->len = before;
	else
		*ret_lines = lines;
	return r;
}
