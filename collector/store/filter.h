/* Bloom filters over the tokens of a block. haul-index(5) has the arithmetic.
 *
 * A filter has one of a few sizes (eight in each doubling), so that the filters of many blocks can
 * stand beside each other bit by bit. FILTER_PROBES bits a token, and 13.25 bits of filter a token
 * at least: 0.2 % of the blocks that lack a token seem to have it, at most. Pure. */
#ifndef HAUL_COLLECTOR_STORE_FILTER_H
#define HAUL_COLLECTOR_STORE_FILTER_H

#include "collector/store/tokens.h"

#include <stdint.h>

#define FILTER_PROBES     7
#define FILTER_BITS_MIN   UINT32_C(256)
#define FILTER_BITS_MAX   UINT32_C(262144)
#define FILTER_TOKENS_MAX 19784 /* as many as the largest one is meant for */

/* How many bits a filter of so many tokens has. Always a multiple of 64. */
uint32_t filter_bits(size_t tokens);

/* Is this one of the sizes? */
bool filter_valid_bits(uint32_t bits);

/* The bits of a token in a filter of a size. */
void filter_probe(uint64_t hash, uint32_t bits, uint32_t ret_bits[FILTER_PROBES]);

/* Makes the filter of a set: bits / 8 bytes, the first bit is the lowest of the first. */
void filter_make(const struct token_set *set, uint32_t bits, uint8_t *ret);

bool filter_has(const uint8_t *filter, uint32_t bits, uint64_t hash);

#endif
