/* The ledger that recovery begins with: the collector's own, or, where that is lost, damaged or
 * older than its copy, the copy beside the WAL or the one for readers. */
#ifndef HAUL_COLLECTOR_STORE_BASE_H
#define HAUL_COLLECTOR_STORE_BASE_H

#include "collector/store/core.h"

/* Opens s->ledger. What is not taken is set aside, said aloud. ret_rebuilt: the ledger is not the
 * one that was there at the last stop. Errors, with `err`. */
int base_open(struct store *s, struct ledger_meta *ret, bool *ret_rebuilt,
	      struct conf_error *err) MUST_CHECK;

/* The ledger at hand turned out not to be readable after all: sets it aside and goes on to the
 * next. */
int base_next(struct store *s, struct ledger_meta *ret, struct conf_error *err) MUST_CHECK;

#endif
