/* From a line to its template: what varies from line to line (numbers, ids, addresses, times) gives
 * way to a placeholder. The same line gives the same template always; nothing is learnt. */
#ifndef HAUL_COLLECTOR_QUERY_TEMPLATE_H
#define HAUL_COLLECTOR_QUERY_TEMPLATE_H

#include "common/buf.h"
#include "common/field.h"

#define TEMPLATE_MAX ((size_t)1024) /* bytes of text that are looked at */

#define TEMPLATE_ANY "<*>" /* stands for any one word */

/* Appends the template of a stored line. A JSON or key=value message stands for its text (msg,
 * message, event ...) with its level before it and a TAB between; one without such a text for its
 * keys. -ENOMEM. */
int template_of_line(struct span line, struct field_scratch *scratch, struct buf *out) MUST_CHECK;

/* The same for a text. */
int template_of_text(struct span text, struct buf *out) MUST_CHECK;

#endif
