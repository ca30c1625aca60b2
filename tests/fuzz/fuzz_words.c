/* Words of the index: whatever a line is, each part of it is a needle whose demands the line
 * satisfies: else a search would leave the line out. The first two bytes choose the part. */
#include "collector/store/tokens.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has(const struct token_set *s, uint64_t wanted)
{
	size_t cursor = 0;
	uint64_t h;
	while ((h = token_set_next(s, &cursor)))
		if (h == wanted)
			return true;
	return false;
}

static bool is_word(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tokenizer tokenizer; /* kept between inputs */
	struct token_set set = {0};
	struct token_terms terms;
	if (size < 3)
		return 0;
	struct span line = span_make((const char *)data + 2, size - 2);
	size_t from = data[0] % line.len, to = from + 1 + data[1] % (line.len - from);
	bool whole = (from == 0 || !is_word(line.ptr[from - 1])) &&
		     (to == line.len || !is_word(line.ptr[to]));
	int r = token_set_add(&set, &tokenizer, line);
	assert(r == 0);
	r = token_terms_of(&tokenizer, span_make(line.ptr + from, to - from), whole, &terms);
	assert(r == 0);
	for (size_t i = 0; i < terms.n; i++)
		assert(has(&set, terms.items[i].hash) ||
		       token_set_trait(&set, terms.items[i].trait));
	token_set_free(&set);
	return 0;
}
