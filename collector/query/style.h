/* What lines look like on a terminal: colours, and characters that could do harm made harmless. */
#ifndef HAUL_COLLECTOR_QUERY_STYLE_H
#define HAUL_COLLECTOR_QUERY_STYLE_H

#include "collector/query/matcher.h"
#include "common/buf.h"

#define STYLE_RESET "\033[0m"
#define STYLE_MATCH "\033[1;31m"
#define STYLE_DIM   "\033[2m"
#define STYLE_ERROR "\033[31m"
#define STYLE_BOLD  "\033[1m"

/* A colour of its own for each service, the same in every run: an escape sequence. */
const char *style_of_service(struct span service);

/* Appends the text with control characters, and those that change the direction of what follows, as
 * \xNN or \u{NNNN}; TAB stays. -ENOMEM. */
int style_add_harmless(struct buf *out, struct span text) MUST_CHECK;

/* Appends a stored line with colours, its matches marked where `matcher` is not NULL, the message
 * in `message_style` ("": as it is). -ENOMEM. */
int style_add_line(struct buf *out, struct span line, struct matcher_scratch *matcher,
		   const char *message_style) MUST_CHECK;

#endif
