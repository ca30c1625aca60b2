/* A condition and lines: the first line is the condition. Whatever is taken can be asked of any
 * line, gives one answer, and a line that fulfils it holds what the condition is said to need: else
 * the index would hide the line. */
#include "collector/query/where.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool holds_any(struct span line, const struct finder *f)
{
	if (f->n == 0)
		return true;
	for (size_t i = 0; i < f->n; i++) {
		struct span what = f->literals[i].needle;
		if (what.len == 0 || memmem(line.ptr, line.len, what.ptr, what.len))
			return true;
	}
	return false;
}

static void ask(const struct where *w, struct span line)
{
	struct where_scratch *s = where_scratch_new(w);
	struct needs needs = {.n = 0};
	if (!s)
		abort();
	int r = where_test(s, line);
	if (r < 0 || where_test(s, line) != r)
		abort();
	where_needs(w, &needs);
	for (size_t i = 0; r > 0 && i < needs.n; i++)
		if (!holds_any(line, needs.items[i].any_of))
			abort();
	if (r > 0 && !where_seen(s, 0))
		abort();
	where_scratch_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);
	struct span first = span_first(text, span_find(text, '\n'));
	char why[600] = "", *condition = strndup(first.ptr ? first.ptr : "", first.len);
	const char *texts[] = {condition};
	struct where *w;
	if (!condition)
		abort();
	int r = where_new(texts, 1, &w, why, sizeof(why));
	if (r < 0) {
		if (!*why)
			abort();
		free(condition);
		return 0;
	}
	text = span_from(text, first.len < text.len ? first.len + 1 : first.len);
	while (text.len) {
		struct span line = span_first(text, span_find(text, '\n'));
		text = span_from(text, line.len < text.len ? line.len + 1 : line.len);
		ask(w, line);
	}
	where_free(w);
	free(condition);
	return 0;
}
