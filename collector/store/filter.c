/* Bloom filters: see filter.h. Called at sealing, and by the index's readers. Cannot fail. */
#include "collector/store/filter.h"

enum {
	STEP_BITS = 64,
	QUARTER_BITS_A_TOKEN = 53, /* 13.25 bits */
};

uint32_t filter_bits(size_t tokens)
{
	if (tokens >= FILTER_TOKENS_MAX)
		return FILTER_BITS_MAX;
	uint32_t words = ((uint32_t)tokens * QUARTER_BITS_A_TOKEN / 4 + STEP_BITS) / STEP_BITS;
	if (words < FILTER_BITS_MIN / STEP_BITS)
		return FILTER_BITS_MIN;
	/* Of words only the four highest bits are kept, rounded up. */
	unsigned magnitude = 31 - (unsigned)__builtin_clz(words);
	unsigned shift = magnitude > 3 ? magnitude - 3 : 0;
	uint32_t step = UINT32_C(1) << shift;
	return (words + step - 1) / step * step * STEP_BITS;
}

bool filter_valid_bits(uint32_t bits)
{
	if (bits < FILTER_BITS_MIN || bits > FILTER_BITS_MAX || bits % STEP_BITS)
		return false;
	uint32_t words = bits / STEP_BITS;
	unsigned magnitude = 31 - (unsigned)__builtin_clz(words);
	return magnitude <= 3 || words % (UINT32_C(1) << (magnitude - 3)) == 0;
}

void filter_probe(uint64_t hash, uint32_t bits, uint32_t ret_bits[FILTER_PROBES])
{
	uint32_t at = (uint32_t)hash, step = (uint32_t)(hash >> 32) | 1;
	for (unsigned i = 0; i < FILTER_PROBES; i++) {
		ret_bits[i] = (uint32_t)((uint64_t)at * bits >> 32);
		at += step;
		step += i; /* else two tokens with close steps share most of their bits */
	}
}

void filter_make(const struct token_set *set, uint32_t bits, uint8_t *ret)
{
	size_t cursor = 0;
	uint32_t probes[FILTER_PROBES];
	memset(ret, 0, bits / 8);
	for (uint64_t h = token_set_next(set, &cursor); h; h = token_set_next(set, &cursor)) {
		filter_probe(h, bits, probes);
		for (unsigned i = 0; i < FILTER_PROBES; i++)
			ret[probes[i] / 8] |= (uint8_t)(1U << (probes[i] % 8));
	}
}

bool filter_has(const uint8_t *filter, uint32_t bits, uint64_t hash)
{
	uint32_t probes[FILTER_PROBES];
	filter_probe(hash, bits, probes);
	for (unsigned i = 0; i < FILTER_PROBES; i++)
		if (!(filter[probes[i] / 8] >> (probes[i] % 8) & 1))
			return false;
	return true;
}
