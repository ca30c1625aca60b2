/* Is it text? */
#ifndef HAUL_AGENT_SNIFF_H
#define HAUL_AGENT_SNIFF_H

#include "common/span.h"

#define SNIFF_BYTES 4096

/* Looks at the first bytes of a file (more than SNIFF_BYTES are not looked at). NULL: it may be
 * text; else a static text that says what it is. An unlikely line does not make a log binary: only
 * a known signature does, or NUL bytes in great number. */
const char *sniff(struct span first);

/* Does it begin as a compressed file that may be the rest of a rotated log? */
bool sniff_gzip(struct span first);

#endif
