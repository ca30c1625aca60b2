/* What somebody may have meant who typed something else. */
#ifndef HAUL_COLLECTOR_QUERY_NEAR_H
#define HAUL_COLLECTOR_QUERY_NEAR_H

#include "common/span.h"

#include <stdint.h>

#define NEAR_LEN 64 /* longer words are like nothing */

/* The nearest of the words that were offered. Zero it to begin. */
struct near {
	char word[NEAR_LEN + 1]; /* empty: none is near */
	unsigned distance;
};

/* Offers a word for what was typed. */
void near_offer(struct near *n, struct span typed, struct span word);

/* Room for " (did you mean 'WORD'?)". */
#define NEAR_TEXT_MAX (NEAR_LEN + 32)
/* That, or nothing. Returns `text`. */
const char *near_text(const struct near *n, char text[NEAR_TEXT_MAX]);

#endif
