/* Framing: bytes to lines. */
#ifndef HAUL_AGENT_FRAME_H
#define HAUL_AGENT_FRAME_H

#include "common/span.h"

struct frame_line {
	struct span text; /* without its LF */
	size_t consumed;  /* bytes of the source it covers */
	bool clean;       /* line_clean of text: known from the same pass that found the LF */
	bool ended;       /* its LF is there; else this is a portion of a line that goes on, or
		       the last bytes of a file whose last line never got its LF */
};

/* Takes the first line off `in`. Without an LF in it: with `all`, everything is a portion, but a
 * UTF-8 sequence (or a CR that may stand before an LF) at its end that is not whole is left for the
 * next one; otherwise nothing. Returns whether there was one. */
bool frame_next(struct span *in, bool all, struct frame_line *ret);

/* The length of the first piece of a message that is cut at `max` bytes (at least 4): less than
 * that when a UTF-8 sequence would be cut in two. */
size_t frame_piece(struct span text, size_t max);

#endif
