/* Asking the running collector on this machine, as `haul-collector status` does. */
#ifndef HAUL_COLLECTOR_ASK_H
#define HAUL_COLLECTOR_ASK_H

#include "collector/options.h"

/* GETs `path` (with its query) from the listener that the options name and appends the answer's
 * body. With TLS the collector is known by the public key of its own certificate. Errors, with
 * `err`: -ECONNREFUSED nobody answers, -EPROTO an answer that is not 200 of a collector, -EINVAL it
 * cannot be asked. */
int ask_collector(const struct options *options, const char *path, struct buf *out,
		  struct conf_error *err) MUST_CHECK;

#endif
