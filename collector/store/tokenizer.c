/* Bytes to classes: see tokenizer.h. In loops that the compiler makes vectors of. Fails only for
 * want of memory. */
#include "collector/store/tokenizer.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PADDING = 64 }; /* readable bytes behind the folded text */

void tokenizer_free(struct tokenizer *t)
{
	free(t->folded);
	free(t->mask);
	free(t->hex);
	*t = (struct tokenizer){0};
}

static int make_room(struct tokenizer *t, size_t len)
{
	if (len + 1 <= t->capacity)
		return 0;
	size_t capacity = (len + 1 + 4095) / 4096 * 4096;
	tokenizer_free(t);
	t->folded = malloc(capacity + TOKENIZER_WORD + PADDING);
	t->mask = malloc((capacity / TOKENIZER_WORD + 2) * sizeof(*t->mask));
	t->hex = malloc((capacity / TOKENIZER_WORD + 2) * sizeof(*t->hex));
	if (!t->folded || !t->mask || !t->hex) {
		tokenizer_free(t);
		return -ENOMEM;
	}
	t->capacity = capacity;
	return 0;
}

/* Vectors of what every machine has; comparisons give all ones or zeros. */
typedef uint8_t lanes __attribute__((vector_size(16)));
typedef int8_t lane_mask __attribute__((vector_size(16)));

/* One bit a byte, of bytes that are all ones or zeros: by a product that brings the lowest bits of
 * eight bytes together. */
static uint64_t bits_of(lane_mask m)
{
	uint64_t words[2];
	m &= 1;
	memcpy(words, &m, sizeof(m));
	return (le64toh(words[0]) * UINT64_C(0x0102040810204080) >> 56) |
	       (le64toh(words[1]) * UINT64_C(0x0102040810204080) >> 56 << 8);
}

/* 64 bytes: their lower case, which of them belong to tokens, which are hex digits. */
static void classify_word(const uint8_t *in, uint8_t *folded, uint64_t *ret_mask, uint64_t *ret_hex)
{
	uint64_t mask = 0, hex = 0;
	for (unsigned at = 0; at < TOKENIZER_WORD; at += sizeof(lanes)) {
		lanes c;
		memcpy(&c, in + at, sizeof(c));
		lane_mask upper = (lane_mask)(c - 'A' < 26);
		lanes lower = c + ((lanes)upper & 0x20);
		lane_mask digit = (lane_mask)(c - '0' < 10);
		lane_mask letter = (lane_mask)(lower - 'a' < 26);
		lane_mask other = (lane_mask)(c == '_') | (lane_mask)(c > 0x7f);
		memcpy(folded + at, &lower, sizeof(lower));
		mask |= bits_of(digit | letter | other) << at;
		hex |= bits_of(digit | (lane_mask)(lower - 'a' < 6)) << at;
	}
	*ret_mask = mask;
	*ret_hex = hex;
}

int tokenizer_classify(struct tokenizer *t, struct span text)
{
	int r = make_room(t, text.len);
	if (r < 0)
		return r;
	const uint8_t *in = (const uint8_t *)text.ptr;
	size_t at = 0;
	for (; at + TOKENIZER_WORD <= text.len; at += TOKENIZER_WORD)
		classify_word(in + at, t->folded + at, &t->mask[at / TOKENIZER_WORD],
			      &t->hex[at / TOKENIZER_WORD]);
	uint8_t rest[TOKENIZER_WORD] = {0};
	if (text.len > at)
		memcpy(rest, in + at, text.len - at);
	classify_word(rest, t->folded + at, &t->mask[at / TOKENIZER_WORD],
		      &t->hex[at / TOKENIZER_WORD]);
	t->mask[at / TOKENIZER_WORD + 1] = t->hex[at / TOKENIZER_WORD + 1] = 0;
	memset(t->folded + at + TOKENIZER_WORD, 0, PADDING);
	return 0;
}
