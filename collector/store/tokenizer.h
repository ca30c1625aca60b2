/* Text in lower case, with a bit for each byte that belongs to a token (tokens.h) and one for each
 * hex digit. One thread. */
#ifndef HAUL_COLLECTOR_STORE_TOKENIZER_H
#define HAUL_COLLECTOR_STORE_TOKENIZER_H

#include "common/buf.h"
#include "common/span.h"

#include <stdint.h>

#define TOKENIZER_WORD 64 /* bytes that are classified at a time: the bits of one mask */

/* Scratch memory for reading text; zero it to begin. */
struct tokenizer {
	uint8_t *folded;      /* 16 bytes and more behind it can be read */
	uint64_t *mask, *hex; /* bit n % 64 of word n / 64 is byte n's */
	size_t capacity;      /* bytes of text there is room for */
};

void tokenizer_free(struct tokenizer *t);

/* Takes a text in place of the one before. Errors: -ENOMEM. */
int tokenizer_classify(struct tokenizer *t, struct span text) MUST_CHECK;

#endif
