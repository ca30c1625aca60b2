/* Takes keys out of a configuration's text without touching the rest: their lines, and those that
 * go on with them, become comments. Pure. */
#ifndef HAUL_COMMON_CONF_UNSET_H
#define HAUL_COMMON_CONF_UNSET_H

#include "common/buf.h"
#include "common/span.h"

/* Of section [`section`] (the one without a name). Appends the new text; `ret_lines`: how many
 * lines became comments. -ENOMEM: nothing was appended. */
int conf_unset(struct span text, const char *section, const char *const *keys, size_t n_keys,
	       struct buf *out, size_t *ret_lines) MUST_CHECK;

#endif
