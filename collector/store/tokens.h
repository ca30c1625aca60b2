/* The words by which blocks of the archive are found: what the index remembers of a line, and what
 * a string that is looked for demands of a line. haul-index(5) has the rules for users; here is why
 * they are so.
 *
 * A token is a run of letters, digits, '_' and bytes from 0x80 on, folded to lower case (ASCII).
 * Each random token costs some 13 bits a block, so what costs more than it finds is left out:
 *   - tokens of one and two bytes, numbers of three digits: they are everywhere;
 *   - fractions of a second ("123456Z"): every line has another one;
 *   - the five groups of a UUID, which is one token instead.
 *
 * Nothing that might match may be left out of a search, also where the string that is looked for
 * may stand inside a longer token ("grep 4bf92f35..."). So there are more:
 *   - a UUID counts wherever its 36 bytes stand, also with more hex digits around it;
 *   - an id is a run of 16 and more letters and digits, 4 digits among them; one that is
 *     a part of a token counts as well ("req_01ARZ3NDEKTSV4RRFFQ69G5FAV"). The set
 *     remembers how long its ids are: an id that is looked for is then there as it is, or
 *     inside a longer one;
 *   - of a token with bytes on both sides of 0x80 the ASCII parts count as well.
 *
 * Pure; a set and a tokenizer belong to one thread. */
#ifndef HAUL_COLLECTOR_STORE_TOKENS_H
#define HAUL_COLLECTOR_STORE_TOKENS_H

#include "collector/store/tokenizer.h"
#include "common/span.h"

#include <stdint.h>

#define TOKEN_ID_MIN     16 /* bytes of the shortest id */
#define TOKEN_ID_DIGITS  4
#define TOKEN_ID_LENGTHS 64 /* lengths that are told apart: 16 to 78, and 79 or more */

/* Of a block: what else is remembered. One row of the index each. */
enum {
	TOKEN_TRAIT_UUID = TOKEN_ID_LENGTHS, /* holds a UUID, whose groups are left out */
	TOKEN_TRAITS,
	TOKEN_TRAIT_NONE = TOKEN_TRAITS,
	/* Traits 0 to 63: holds an id of at least 16 + n bytes. */
};

/* The distinct tokens of a block. Zero it to begin. */
struct token_set {
	uint64_t *slots; /* open addressing, 0 is free; capacity is a power of two */
	size_t capacity, count;
	uint64_t id_lengths; /* bit n: an id of 16 + n bytes (63: of 79 or more) */
	bool has_uuid;
};

/* Keeps the memory. */
void token_set_clear(struct token_set *s);
void token_set_free(struct token_set *s);

/* Walks all hashes in no order: *cursor is 0 to begin with; 0 at the end. */
uint64_t token_set_next(const struct token_set *s, size_t *cursor);

bool token_set_trait(const struct token_set *s, unsigned trait);

/* Adds the tokens of a text, whose ends are ends of tokens. -ENOMEM. */
int token_set_add(struct token_set *s, struct tokenizer *t, struct span text) MUST_CHECK;

/* A demand on a block: it has the hash, or (unless NONE) the trait. */
struct token_term {
	uint64_t hash;
	unsigned trait;
};

#define TOKEN_TERMS_MAX 8
struct token_terms {
	struct token_term items[TOKEN_TERMS_MAX];
	size_t n; /* all of them; 0: any block may hold the string */
};

/* What a block demands of which a line holds `needle`, in any case of its ASCII letters. `whole`:
 * what stands before and behind it is no ASCII letter, digit or '_'. -ENOMEM. */
int token_terms_of(struct tokenizer *t, struct span needle, bool whole,
		   struct token_terms *ret) MUST_CHECK;

/* The hash of a token as it stands in the index: of its bytes, folded. For tests and for who reads
 * the format. */
uint64_t token_hash(struct span token);

#endif
