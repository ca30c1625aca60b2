/* Looks for a timestamp at a line's start and behind what log lines begin with. */
#ifndef HAUL_AGENT_STAMP_SEARCH_H
#define HAUL_AGENT_STAMP_SEARCH_H

#include "agent/stamp/moment.h"
#include "common/span.h"

#include <stdint.h>

/* A timestamp begins within so many bytes. */
#define STAMP_REACH 128

struct stamp_found {
	uint8_t form;
	uint8_t words; /* plain words before it: 0 or more */
	bool bracket;  /* it stands right behind the line's first [ */
	uint16_t at;   /* where in the line */
};

/* Only at the line's start, which is behind a byte order mark, colours, and a syslog priority.
 * Cheap. */
bool stamp_search_at_start(struct span line, struct stamp_found *ret, struct moment *m);

/* At the start, and then behind a prefix, which may be any number of
 *     [...] (...) {...}  what stands in brackets; a time may be in [] and <>
 *     key=value          also key="some words"
 *     INFO W error:      levels
 *     web-1 10.0.0.1 x:  words with digits or punctuation inside: hosts, addresses, ids
 *     - | *              punctuation
 * and at most `words` plain words: a text is not searched for a date that it mentions. A | ends
 * what another program has put before, so words are counted anew behind it. An access log's
 * [22/Nov/2026:05:40:00 is taken behind any words. */
bool stamp_search_prefix(struct span line, unsigned words, struct stamp_found *ret,
			 struct moment *m);

#endif
